/**
 * The server RHSM registers with: read from the command line, set through RHSM, the configuration before it kept once.
 */
import { lstatSync, readFileSync, statSync } from 'node:fs';
import { writeDurably } from '../base/durable-file.ts';
import { reasonOf, systemCodeOf, YggError } from '../base/errors.ts';
import type { Rhsm } from './rhsm.ts';

export interface Server {
  readonly host: string;
  readonly port: string;
  /** `/subscription`. */
  readonly prefix: string;
}

/** What subscription-manager takes for a part that is not given. */
const usual = { port: '443', prefix: '/subscription' };

/** `https://HOST[:PORT][/PREFIX]`, or without the scheme. Throws `YGG_USAGE`. */
export function readServer(text: string): Server {
  const url = urlOf(text.includes('://') ? text : `https://${text}`);
  const extra = url && `${url.username}${url.password}${url.search}${url.hash}` !== '';
  if (url?.protocol !== 'https:' || extra || url.hostname === '') {
    throw new YggError(
      'YGG_USAGE',
      `--server "${text}" is no address of a server; one looks like https://rhsm.example.com:443/subscription.`,
    );
  }
  const prefix = url.pathname.replace(/\/+$/, '');
  return { host: url.hostname, port: url.port || usual.port, prefix: prefix || usual.prefix };
}

function urlOf(text: string): URL | undefined {
  return URL.canParse(text) ? new URL(text) : undefined;
}

/** Makes it RHSM's server. */
export async function setServer({ host, port, prefix }: Server, rhsm: Rhsm): Promise<void> {
  await rhsm.configure('server.hostname', host);
  await rhsm.configure('server.port', port);
  await rhsm.configure('server.prefix', prefix);
}

export function serverText({ host, port, prefix }: Server): string {
  return `${host}:${port}${prefix}`;
}

/** Where a copy of `file` is; it is made unless there is one. `undefined` when there is no file to copy. */
export function keepCopy(file: string): string | undefined {
  const copy = `${file}.orig`;
  try {
    if (lstatSync(copy, { throwIfNoEntry: false })) return copy;
    // It may hold the password of a proxy: nobody reads the copy who could not read the file.
    writeDurably(copy, readFileSync(file), statSync(file).mode & 0o777);
    return copy;
  } catch (error) {
    if (systemCodeOf(error) === 'ENOENT') return undefined;
    const sentence = `${file} could not be copied to ${copy}: ${reasonOf(error)}. Nothing was changed.`;
    throw new YggError(systemCodeOf(error) === 'EACCES' ? 'YGG_NOT_ALLOWED' : 'YGG_CONFIG_FILE', sentence, {
      cause: error,
    });
  }
}
