/**
 * Who registers: from the command line, and from the person at the terminal for what is missing there.
 */

import { inColumns } from '../base/columns.ts';
import { YggError } from '../base/errors.ts';
import type { Prompts } from './prompts.ts';
import type { Account, Organization } from './rhsm.ts';

export interface CredentialFlags {
  readonly username?: string;
  readonly password?: string;
  readonly passwordStdin?: boolean;
  readonly organization?: string;
  readonly activationKey?: readonly string[];
}

export type Credentials =
  | { readonly kind: 'keys'; readonly keys: readonly string[]; readonly organization: string }
  | { readonly kind: 'account'; readonly account: Account; readonly organization: string | undefined };

export interface CredentialsDeps {
  /** `undefined` where nobody can be asked. */
  readonly prompts: Prompts | undefined;
  /** All of standard input. */
  readStdin(): Promise<Uint8Array>;
  /** Shows lines to the person who is asked. */
  show(lines: readonly string[]): Promise<void>;
}

/** Throws `YGG_USAGE` for flags that do not go together. */
export function checkFlags(flags: CredentialFlags): void {
  const { username, password, passwordStdin, organization, activationKey = [] } = flags;
  const account = username !== undefined || password !== undefined || passwordStdin === true;
  if (activationKey.length > 0 && organization === undefined) {
    throw usage('--activation-key needs the --organization it belongs to.');
  }
  if (activationKey.length > 0 && account) {
    throw usage('--activation-key registers without a user; leave out --username and --password.');
  }
  if (password !== undefined && passwordStdin === true) {
    throw usage('--password and --password-stdin are two passwords; give one.');
  }
}

/** Throws `YGG_USAGE` when something is missing and nobody can be asked. */
export async function readCredentials(flags: CredentialFlags, deps: CredentialsDeps): Promise<Credentials> {
  const { organization, activationKey = [] } = flags;
  if (activationKey.length > 0) {
    return { kind: 'keys', keys: activationKey, organization: organization ?? '' };
  }
  const user = flags.username ?? (await deps.prompts?.ask('User name: '));
  if (user === undefined) {
    throw usage(
      'There is no terminal to ask at: give --username and --password-stdin, or --organization and --activation-key.',
    );
  }
  const password = await readPassword(flags, user, deps);
  return { kind: 'account', account: { user, password }, organization };
}

async function readPassword(flags: CredentialFlags, user: string, deps: CredentialsDeps): Promise<string> {
  if (flags.password !== undefined) return flags.password;
  if (flags.passwordStdin) {
    const text = Buffer.from(await deps.readStdin()).toString();
    const [line = ''] = text.split(/\r?\n/, 1);
    if (line !== '') return line;
    throw usage('--password-stdin found nothing on standard input.');
  }
  const password = await deps.prompts?.askHidden(`Password of ${user}: `);
  if (password !== undefined) return password;
  throw usage('There is no terminal to ask for the password at: give it with --password-stdin.');
}

/** The one organization of a user, or the one that is chosen of several. */
export async function chooseOrganization(
  user: string,
  organizations: readonly Organization[],
  deps: CredentialsDeps,
): Promise<string> {
  const [only, ...others] = organizations;
  if (only === undefined) {
    throw new YggError(
      'YGG_SERVICE_REFUSED',
      `${user} belongs to no organization; ask the administrator of the server to change that.`,
    );
  }
  if (others.length === 0) return only.key;
  const rows = organizations.map(({ key, name }) => [key, name]);
  if (deps.prompts === undefined) {
    const list = organizations.map(({ key, name }) => (name === '' ? key : `${key} (${name})`)).join(', ');
    throw usage(`${user} belongs to several organizations: ${list}. Name one with --organization.`);
  }
  await deps.show([`${user} belongs to several organizations:`, ...inColumns(rows).map((row) => `  ${row}`)]);
  for (;;) {
    const answer = await deps.prompts.ask('Organization: ');
    const chosen = organizations.find(({ key, name }) => key === answer || name === answer);
    if (chosen) return chosen.key;
    await deps.show([`"${answer}" is none of them.`]);
  }
}

function usage(sentence: string): YggError {
  return new YggError('YGG_USAGE', sentence);
}
