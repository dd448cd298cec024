import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { type AccountFiles, isPrivateGroup } from '../../../src/host/private-group.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

function accounts(passwd: string[], group: string[]): AccountFiles {
  const folder = tempDir(testScope());
  const files = { passwd: path.join(folder, 'passwd'), group: path.join(folder, 'group') };
  writeFileSync(files.passwd, `${passwd.join('\n')}\n`);
  writeFileSync(files.group, `${group.join('\n')}\n`);
  return files;
}

const alice = 'alice:x:1000:1000:Alice:/home/alice:/bin/sh';

interface Case {
  readonly when: string;
  readonly passwd: string[];
  readonly group: string[];
  readonly gid?: number;
  readonly expected: boolean;
}

test.each<Case>([
  { when: 'nobody else is in it', passwd: [alice], group: ['alice:x:1000:'], expected: true },
  {
    when: 'its owner is listed as its member',
    passwd: [alice],
    group: ['alice:x:1000:alice'],
    expected: true,
  },
  { when: 'another user is a member', passwd: [alice], group: ['alice:x:1000:bob'], expected: false },
  {
    when: 'another user has it as primary group',
    passwd: [alice, 'bob:x:1001:1000::/:'],
    group: ['alice:x:1000:'],
    expected: false,
  },
  {
    when: 'it is not its owner’s primary group',
    passwd: [alice],
    group: ['alice:x:1000:', 'staff:x:50:'],
    gid: 50,
    expected: false,
  },
  { when: 'the user is not in the files', passwd: [], group: ['alice:x:1000:'], expected: false },
  { when: 'the group is not in the files', passwd: [alice], group: [], expected: false },
])('a group is private or not when $when', ({ passwd, group, gid = 1000, expected }) => {
  expect(isPrivateGroup(1000, gid, accounts(passwd, group))).toBe(expected);
});

test('without account files no group is private', () => {
  expect(isPrivateGroup(1000, 1000, { passwd: '/nowhere/passwd', group: '/nowhere/group' })).toBe(false);
});
