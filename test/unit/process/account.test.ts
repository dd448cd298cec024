import { execFileSync } from 'node:child_process';
import { userInfo } from 'node:os';
import { describe, expect, test } from 'vitest';
import { type AccountDeps, accountWords, findAccount, look } from '../../../src/process/account.ts';

const place = '/etc/yggdrasil/workers/echo.toml';

const answers: Readonly<Record<string, string>> = {
  'getent passwd backup': 'backup:x:34:34:backup:/var/backups:/usr/sbin/nologin',
  'id -G backup': '34 26',
  'getent passwd root': 'root:x:0:0:root:/root:/bin/bash',
  'id -G root': '0',
  'getent group tape': 'tape:x:26:backup',
};

function host(uid: number): AccountDeps {
  return {
    own: { uid, gid: uid, groups: [uid, 4] },
    look: async (program, words) => answers[[program, ...words].join(' ')],
  };
}

test('nothing said is whom the daemon runs as, and nobody is looked up', async () => {
  const look = (): Promise<string> => Promise.reject(new Error('must not be asked'));
  expect(
    await findAccount({ user: undefined, group: undefined }, place, { ...host(0), look }),
  ).toBeUndefined();
});

test('a user is its ids and all its groups', async () => {
  expect(await findAccount({ user: 'backup', group: undefined }, place, host(0))).toEqual({
    ...{ name: 'backup', uid: 34, gid: 34, groups: [34, 26] },
  });
});

test("a group takes the place of the user's first one", async () => {
  const account = await findAccount({ user: 'backup', group: 'tape' }, place, host(0));
  expect(account).toMatchObject({ uid: 34, gid: 26, groups: [34, 26] });
});

test('a group alone is the user of the daemon, with its own groups', async () => {
  expect(await findAccount({ user: undefined, group: 'tape' }, place, host(0))).toEqual({
    ...{ name: '0', uid: 0, gid: 26, groups: [0, 4] },
  });
});

test('the user that the daemon runs as needs nothing, whoever that is', async () => {
  expect(await findAccount({ user: 'root', group: undefined }, place, host(0))).toBeUndefined();
  expect(await findAccount({ user: 'backup', group: undefined }, place, host(34))).toBeUndefined();
});

describe('is refused, with the file that says so:', () => {
  test.each([
    ['a user that is not there', { user: 'nobdy', group: undefined }, 0, 'there is no user nobdy'],
    ['a group that is not there', { user: undefined, group: 'taep' }, 0, 'there is no group taep'],
    [
      'another user under a daemon that is not root',
      { user: 'root', group: undefined },
      34,
      'runs as uid 34',
    ],
    ['another group under such a daemon', { user: undefined, group: 'tape' }, 34, 'runs as uid 34'],
  ])('%s', async (_what, names, uid, sentence) => {
    const error = await findAccount(names, place, host(uid)).catch((caught: unknown) => caught);
    expect(error).toMatchObject({ code: 'YGG_WORKER_FILE' });
    expect(String(error)).toContain(`${place}: `);
    expect(String(error)).toContain(sentence);
  });
});

test('the databases of this host are asked', async () => {
  const { username, uid, gid } = userInfo();
  const wrong = await findAccount({ user: 'no-such-user', group: undefined }, place).catch(String);
  expect(wrong).toContain('there is no user no-such-user');
  const groups = execFileSync('id', ['-G', username], { encoding: 'utf8' }).trim().split(' ').map(Number);
  // From the place of a root with another group, who may become anybody.
  const deps = { own: { uid: 0, gid: -1, groups: [] }, look };
  const account = await findAccount({ user: username, group: undefined }, place, deps);
  expect(account).toEqual({ name: username, uid, gid, groups });
});

test('setpriv is told everything, so that nothing of the daemon is left', () => {
  const account = { name: 'backup', uid: 34, gid: 35, groups: [34, 26] };
  expect(accountWords(account).join(' ')).toBe('--reuid 34 --regid 35 --groups 34,26 --inh-caps -all');
  expect(accountWords({ ...account, groups: [] })).toContain('--clear-groups');
});
