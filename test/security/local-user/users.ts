/** Workers that run as other users: what each of these, and anybody else, can reach of the others and of the daemon. */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import type { Scope } from '../../helpers/scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { type Home, startYggd } from '../../helpers/yggd.ts';
import type { Attempt } from '../attempts.ts';
import { Person } from '../person.ts';
import { kept, openHome, type Stage } from './stage.ts';

/** Two users with a worker each: `nobody`, who is the stranger of the stage, and `daemon`. */
export interface Users {
  readonly home: Home;
  /** Of `daemon`, who has nothing to do with the daemon under test. */
  readonly other: Person;
  /** The sockets of each worker, as the daemon made them. */
  readonly sockets: { readonly nobody: string; readonly daemon: string };
  readonly base: string;
}

/** Systems do not agree about it. */
function uidNamed(user: string): number {
  const line = readFileSync('/etc/passwd', 'utf8')
    .split('\n')
    .find((each) => each.startsWith(`${user}:`));
  return Number(line?.split(':')[2] ?? Number.NaN);
}

const otherUid = uidNamed('daemon');

export async function openUsers(scope: Scope): Promise<Users> {
  const home = openHome(scope);
  const base = `${home.runtimeDir}-workers`;
  for (const user of ['nobody', 'daemon']) {
    const text = '#!/bin/sh\nexec sleep 1000\n';
    home.install({ name: `${user}-worker`, text, config: [`user = "${user}"`] });
  }
  const yggd = startYggd(scope, { home, brokers: [], flags: ['--protocol', 'none'] });
  const socketOf = (user: string): Promise<string> =>
    waitFor(() => socketIn(path.join(base, user)), {
      what: `the socket for ${user}`,
      deadline: 30_000,
      detail: () => yggd.output,
    });
  const sockets = { nobody: await socketOf('nobody'), daemon: await socketOf('daemon') };
  return { home, base, sockets, other: new Person(scope, otherUid) };
}

function socketIn(directory: string): string | undefined {
  try {
    const name = readdirSync(directory).find((entry) => entry.endsWith('.s'));
    return name === undefined ? undefined : path.join(directory, name);
  } catch {
    return undefined;
  }
}

const register = '0a0673746f6c656e1001';

export function sharing(at: () => Stage, users: () => Users): Attempt[] {
  const tries = (name: string, make: Attempt['make']): Attempt => ({ name, make });
  return [
    tries("a worker's user connects to the socket of another user's worker", async () =>
      kept(await at().stranger.tries('connect', users().sockets.daemon)),
    ),
    tries("another user connects to the socket of a worker's user", async () =>
      kept(await users().other.tries('connect', users().sockets.nobody)),
    ),
    tries("a worker's user registers as another user's worker", async () =>
      kept(
        await at().stranger.tries('call', users().sockets.daemon, '/yggdrasil.Dispatcher/Register', register),
      ),
    ),
    tries("a worker's user connects to the shared socket", async () =>
      kept(await at().stranger.tries('connect', path.join(users().home.runtimeDir, 'dispatcher.sock'))),
    ),
    tries("a worker's user connects to the control socket", async () =>
      kept(await at().stranger.tries('connect', path.join(users().home.runtimeDir, 'control.sock'))),
    ),
    tries("a worker's user looks into the directory of another", async () =>
      kept(await at().stranger.tries('list', path.join(users().base, 'daemon'))),
    ),
    tries("a worker's user looks into what the daemon keeps beside them", async () =>
      kept(await at().stranger.tries('list', path.join(users().base, '.daemon'))),
    ),
    tries("a worker's user makes a directory for a third one", async () =>
      kept(await at().stranger.tries('mkdir', path.join(users().base, 'games'))),
    ),
    tries("a worker's user puts another directory in the place of its own", async () =>
      kept(
        await at().stranger.tries('rename', path.join(users().base, 'nobody'), path.join(users().base, 'x')),
      ),
    ),
    tries("a worker's user reads the journal", async () =>
      kept(await at().stranger.tries('read', path.join(users().home.stateDir, 'journal/data.mdb'))),
    ),
    tries("a worker's user kills another user's worker", async () => {
      const pids = users().home.processes();
      const uids: number[] = [];
      for (const pid of pids) uids.push(await uidOf(at(), pid));
      const pid = pids[uids.indexOf(otherUid)];
      if (pid === undefined) throw new Error(`not made: ${pids} are of ${uids}`);
      return kept(await at().stranger.tries('kill', pid, 'SIGKILL'));
    }),
  ];
}

async function uidOf({ owner }: Stage, pid: number): Promise<number> {
  const status = String(await owner.does('read', `/proc/${pid}/status`));
  return Number(/^Uid:\t(\d+)/m.exec(status)?.[1] ?? -1);
}

export function sharingControls(at: () => Stage, users: () => Users): Attempt[] {
  return [
    {
      name: "a worker's user connects to its own socket",
      make: async () => kept(await at().stranger.tries('connect', users().sockets.nobody)),
    },
    {
      name: "a worker's user registers on its own socket",
      make: async () =>
        kept(
          await at().stranger.tries(
            'call',
            users().sockets.nobody,
            '/yggdrasil.Dispatcher/Register',
            register,
          ),
        ),
    },
  ];
}
