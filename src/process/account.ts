/**
 * The user and group that a worker is to run as, looked up the way the host looks up its own (nsswitch.conf), so that
 * users of a directory service are found too.
 */
import { execFile } from 'node:child_process';
import { YggError } from '../base/errors.ts';
import { workerPath } from './worker-environment.ts';

/** Who a worker runs as, when that is not who the daemon runs as. */
export interface Account {
  /** For people, and for the directory of its sockets. */
  readonly name: string;
  readonly uid: number;
  readonly gid: number;
  /** Supplementary groups. */
  readonly groups: readonly number[];
}

/** What a worker's configuration says of it. */
export interface AccountNames {
  readonly user: string | undefined;
  readonly group: string | undefined;
}

export interface AccountDeps {
  /** Of this process. */
  readonly own: { readonly uid: number; readonly gid: number; readonly groups: readonly number[] };
  /** Runs a program that looks something up; resolves to what it prints, or undefined when there is no such thing. */
  readonly look: (program: string, words: readonly string[]) => Promise<string | undefined>;
}

/** Milliseconds. */
const lookDeadline = 5_000;
/** Exit status of getent(1) for a name that is in no database, and of id(1) for whatever it does not find. */
const notFound: Readonly<Record<string, number>> = { getent: 2, id: 1 };

/**
 * Undefined when the worker runs as the daemon does; `place` is where the names were read. Throws `YGG_WORKER_FILE` when the names mean nobody, or somebody
 * this daemon cannot become; `YGG_WORKER_START` when they could not be looked up.
 */
export async function findAccount(
  { user, group }: AccountNames,
  place: string,
  deps: AccountDeps = ofThisProcess(),
): Promise<Account | undefined> {
  if (user === undefined && group === undefined) return undefined;
  const { own } = deps;
  const person = user === undefined ? { name: String(own.uid), ...own } : await findUser(user, deps);
  if (!person)
    throw refused(`${place}: there is no user ${user} on this host; create it, or name another one`);
  const gid = group === undefined ? person.gid : await findGroup(group, deps);
  if (gid === undefined) {
    throw refused(`${place}: there is no group ${group} on this host; create it, or name another one`);
  }
  if (person.uid === own.uid && gid === own.gid) return undefined;
  if (own.uid !== 0) {
    throw refused(
      `${place}: user and group need a yggd that runs as root, and this one runs as uid ${own.uid}; ` +
        'remove them, and the worker runs as yggd does',
    );
  }
  return { ...person, gid };
}

async function findUser(user: string, { look }: AccountDeps): Promise<Account | undefined> {
  // name:password:uid:gid:...
  const [name, , uid, gid] = (await look('getent', ['passwd', user]))?.split(':') ?? [];
  const groups = name && (await look('id', ['-G', name]));
  if (!name || !uid || !gid || !groups) return undefined;
  return { name, uid: Number(uid), gid: Number(gid), groups: groups.split(' ').map(Number) };
}

async function findGroup(group: string, { look }: AccountDeps): Promise<number | undefined> {
  // name:password:gid:...
  const [, , gid] = (await look('getent', ['group', group]))?.split(':') ?? [];
  return gid ? Number(gid) : undefined;
}

/** The arguments with which setpriv(1) becomes this account: nothing of the daemon's own groups or rights is left. */
export function accountWords({ uid, gid, groups }: Account): readonly string[] {
  const supplementary = groups.length > 0 ? ['--groups', groups.join()] : ['--clear-groups'];
  return ['--reuid', String(uid), '--regid', String(gid), ...supplementary, '--inh-caps', '-all'];
}

function ofThisProcess(): AccountDeps {
  const { getuid, getgid, getgroups } = process;
  return { own: { uid: getuid?.() ?? 0, gid: getgid?.() ?? 0, groups: getgroups?.() ?? [] }, look };
}

/** The real thing for `look`. */
export function look(program: string, words: readonly string[]): Promise<string | undefined> {
  return new Promise((resolve, reject) => {
    const options = { env: { PATH: workerPath, LC_ALL: 'C' }, cwd: '/', timeout: lookDeadline } as const;
    execFile(program, words, options, (error, stdout) => {
      if (!error) resolve(stdout.trim());
      else if (error.code === notFound[program]) resolve(undefined);
      else {
        const sentence = `${[program, ...words].join(' ')} did not say who that is: ${error.message.trim()}.`;
        reject(new YggError('YGG_WORKER_START', sentence, { cause: error }));
      }
    });
  });
}

function refused(sentence: string): YggError {
  return new YggError('YGG_WORKER_FILE', `${sentence}.`);
}
