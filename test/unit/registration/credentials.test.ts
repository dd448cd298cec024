import { expect, test } from 'vitest';
import {
  type CredentialFlags,
  type CredentialsDeps,
  checkFlags,
  readCredentials,
} from '../../../src/registration/credentials.ts';

function without(stdin: string): CredentialsDeps {
  return {
    prompts: undefined,
    readStdin: async () => Buffer.from(stdin),
    show: async () => {},
  };
}

test.each<[CredentialFlags, string]>([
  [{ activationKey: ['web'] }, '--activation-key needs the --organization it belongs to.'],
  [
    { activationKey: ['web'], organization: 'acme', username: 'a' },
    '--activation-key registers without a user',
  ],
  [
    { username: 'a', password: 'x', passwordStdin: true },
    '--password and --password-stdin are two passwords',
  ],
])('%j does not go together', (flags, sentence) => {
  expect(() => checkFlags(flags)).toThrow(sentence);
});

test.each<[CredentialFlags, string, string]>([
  [{}, '', 'There is no terminal to ask at: give --username and --password-stdin'],
  [{ username: 'a' }, 'x', 'There is no terminal to ask for the password at: give it with --password-stdin.'],
  [{ username: 'a', passwordStdin: true }, '\nx', '--password-stdin found nothing on standard input.'],
])('%j with %j on standard input is not enough', async (flags, stdin, sentence) => {
  await expect(readCredentials(flags, without(stdin))).rejects.toThrow(sentence);
});

test.each(['a b ', 'a b \n', 'a b \r\nmore'])(
  'the password is the first line of %j, as it is',
  async (stdin) => {
    expect(await readCredentials({ username: 'u', passwordStdin: true }, without(stdin))).toEqual({
      kind: 'account',
      account: { user: 'u', password: 'a b ' },
      organization: undefined,
    });
  },
);
