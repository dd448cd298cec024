/**
 * Says whether a group is a user's own: the "user private group" that many systems give each user, under which a
 * umask of 002 is harmless.
 *
 * Reads the local account files only; a user or group that is not in them counts as shared.
 */
import { readFileSync } from 'node:fs';

export interface AccountFiles {
  readonly passwd: string;
  readonly group: string;
}

const systemFiles: AccountFiles = { passwd: '/etc/passwd', group: '/etc/group' };

/** True if and only if `gid` is the primary group of `uid` and nobody else is in it. */
export function isPrivateGroup(uid: number, gid: number, files: AccountFiles = systemFiles): boolean {
  // name:password:uid:gid:...
  const users = readRecords(files.passwd);
  const owner = users.find((fields) => fields[2] === String(uid));
  if (owner?.[3] !== String(gid)) return false;
  const primary = users.filter((fields) => fields[3] === String(gid));
  if (primary.some((fields) => fields[2] !== String(uid))) return false;
  // name:password:gid:member,member
  const group = readRecords(files.group).find((fields) => fields[2] === String(gid));
  if (!group) return false;
  return (group[3] ?? '').split(',').every((member) => member === '' || member === owner[0]);
}

function readRecords(file: string): string[][] {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch {
    return [];
  }
  return text.split('\n').map((line) => line.split(':'));
}
