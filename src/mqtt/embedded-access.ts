/**
 * The file by which programs of the same user find the embedded broker of a running daemon, and get in.
 *
 * Owns its place, form and mode. It is written by the daemon once the broker listens and removed when it closes;
 * whoever can read it may command the daemon's workers, so nobody but its owner can.
 */
import { readFileSync, rmSync } from 'node:fs';
import path from 'node:path';
import { writeDurably } from '../base/durable-file.ts';
import { reasonOf, systemCodeOf, YggError } from '../base/errors.ts';

export interface EmbeddedAccess {
  /** `mqtt://127.0.0.1:PORT` */
  readonly url: string;
  readonly username: string;
  readonly password: string;
  /** The one host on this broker. */
  readonly clientId: string;
  readonly topicPrefix: string;
}

/** Where a daemon with this runtime directory keeps it. */
export function embeddedAccessFile(runtimeDir: string): string {
  return path.join(runtimeDir, 'embedded.json');
}

export function writeEmbeddedAccess(runtimeDir: string, access: EmbeddedAccess): void {
  const { url, username, password, clientId, topicPrefix } = access;
  const fields = { url, username, password, client_id: clientId, topic_prefix: topicPrefix };
  writeDurably(embeddedAccessFile(runtimeDir), `${JSON.stringify(fields, null, 2)}\n`, 0o600);
}

export function removeEmbeddedAccess(runtimeDir: string): void {
  rmSync(embeddedAccessFile(runtimeDir), { force: true });
}

/**
 * What the file says, or `undefined` when there is none: no daemon, or one without an embedded broker.
 * The caller has checked that nobody else can write in the directory. Throws `YGG_CONFIG_FILE` when the file is
 * there and does not say it.
 */
export function readEmbeddedAccess(runtimeDir: string): EmbeddedAccess | undefined {
  const file = embeddedAccessFile(runtimeDir);
  let parsed: unknown;
  try {
    parsed = JSON.parse(readFileSync(file, 'utf8'));
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    throw unusable(file, reasonOf(error), error);
  }
  const fields: Readonly<Record<string, unknown>> = Object(parsed);
  const text = (name: string): string => {
    const value = fields[name];
    if (typeof value === 'string') return value;
    throw unusable(file, `"${name}" is not a string`);
  };
  return {
    url: text('url'),
    username: text('username'),
    password: text('password'),
    clientId: text('client_id'),
    topicPrefix: text('topic_prefix'),
  };
}

function unusable(file: string, reason: string, cause?: unknown): YggError {
  return new YggError(
    'YGG_CONFIG_FILE',
    `${file} does not say how to reach the embedded broker: ${reason}. Restart the daemon, which writes it anew.`,
    { cause },
  );
}
