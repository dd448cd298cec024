/**
 * The name of this host on the broker.
 */
import { randomUUID } from 'node:crypto';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { writeDurably } from '../base/durable-file.ts';
import { reasonOf, systemCodeOf, YggError } from '../base/errors.ts';

export interface ClientIdDeps {
  /** What the option says; wins over everything. */
  readonly given: string | undefined;
  /** Of the client certificate; empty without one. */
  readonly commonName: string;
  /** A directory that is there and ours. */
  readonly stateDir: string;
  readonly newId?: () => string;
}

/**
 * The option, else the certificate's common name, else what is kept in `<state-dir>/client-id`, else a new one that
 * is kept there from now on. Throws `YGG_CONFIG_FILE` for a name that cannot be part of a topic.
 */
export function clientId({ given, commonName, stateDir, newId = randomUUID }: ClientIdDeps): string {
  if (given !== undefined) return usable(given, 'client-id');
  if (commonName !== '') return usable(commonName, 'the common name of cert-file');
  const file = path.join(stateDir, 'client-id');
  const kept = readKept(file);
  if (kept !== '') return usable(kept, file);
  const made = newId();
  writeDurably(file, `${made}\n`, 0o600);
  return made;
}

function readKept(file: string): string {
  try {
    return readFileSync(file, 'utf8').trim();
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return '';
    throw new YggError('YGG_CONFIG_FILE', `${file} cannot be read: ${reasonOf(error)}.`, { cause: error });
  }
}

/** One level of a topic (MQTT 3.1.1, 4.7), and no longer than a topic can be. */
function usable(id: string, source: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  const bad = /[+#/\u0000-\u001f\u007f]/.exec(id)?.[0];
  if (bad !== undefined || id.length > 1024) {
    throw new YggError(
      'YGG_CONFIG_FILE',
      `${source} cannot be the client id, which is part of a topic: ${
        bad === undefined ? 'it is longer than 1024 characters' : `it contains ${JSON.stringify(bad)}`
      }. Set client-id.`,
    );
  }
  return id;
}
