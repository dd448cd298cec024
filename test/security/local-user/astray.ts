/** Leading others astray: an administrator's yggctl, a daemon that starts again, a daemon of somebody else. */
import { chmodSync, mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Child } from '../../helpers/child.ts';
import { alive } from '../../helpers/processes.ts';
import { Scope } from '../../helpers/scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { echoWorker } from '../../helpers/worker-files.ts';
import { ask, yggctlProgram } from '../../helpers/yggctl.ts';
import { startYggd } from '../../helpers/yggd.ts';
import type { Attempt, Verdict } from '../attempts.ts';
import { Person } from '../person.ts';
import { kept, openCommons, openHome, running, type Stage } from './stage.ts';

type At = () => Stage;

async function inScope(attempt: (scope: Scope) => Promise<Verdict>): Promise<Verdict> {
  const scope = new Scope();
  try {
    return await attempt(scope);
  } finally {
    await scope.end();
  }
}

/** The owner of the daemon asks in a runtime directory where somebody listens at `socket`. */
async function asksIn(scope: Scope, by: Person, run: string, socket: string): Promise<Verdict> {
  const words = ['status', '--timeout', '1s', '--runtime-dir', run];
  const child = new Child(scope, process.execPath, [yggctlProgram, ...words]);
  await child.ended(30_000);
  return { succeeded: (await by.does('accepted', socket)) === true, how: child.output };
}

/** A port that a killed daemon has named to yggctl, taken by somebody else. */
async function takesPort(scope: Scope, by: Person): Promise<Verdict> {
  const home = openHome(scope);
  const yggd = startYggd(scope, { home, brokers: ['embedded'] });
  await running(yggd, home);
  const access: { readonly url: string } = JSON.parse(
    readFileSync(path.join(home.runtimeDir, 'embedded.json'), 'utf8'),
  );
  await yggd.crash();
  await by.does('tcp_listen', Number(new URL(access.url).port));
  const said = ask(scope, home, 'send', 'echo', '"a secret"', '--timeout', '2s');
  const heard = await by.does('tcp_heard', 5);
  return { succeeded: heard !== '', how: `${heard} ${(await said).err}` };
}

/** A process that looks like a worker of a killed daemon, when that daemon starts again. */
async function marks(scope: Scope, by: Person): Promise<Verdict> {
  const home = openHome(scope);
  mkdirSync(home.runtimeDir, { mode: 0o700 });
  const pid = Number(
    await by.does('start', ['/bin/sleep', '1000'], {
      YGG_SOCKET_ADDR: `unix:${home.runtimeDir}/abcdefgh.s`,
    }),
  );
  await waitFor(() => alive(pid), { what: 'the marked process' });
  const yggd = startYggd(scope, { home, brokers: [], flags: ['--protocol', 'none'] });
  await running(yggd, home);
  return { succeeded: !alive(pid), how: yggd.output };
}

/** A daemon that was started with no umask at all, and whose directories were opened by mistake. */
async function withoutUmask(
  at: Stage,
  touch: (by: Person, run: string) => Promise<Verdict>,
): Promise<Verdict> {
  return await inScope(async (scope) => {
    const home = openHome(scope);
    home.install(echoWorker());
    const umask = process.umask(0);
    const yggd = startYggd(scope, { home, brokers: ['embedded'] });
    process.umask(umask);
    await running(yggd, home);
    chmodSync(home.runtimeDir, 0o755);
    return await touch(at.stranger, home.runtimeDir);
  });
}

/** A daemon of a user who has no directory of its own for sockets: it goes below the temporary directory. */
async function startsElsewhere(
  squat: (by: Person, run: string, commons: string) => Promise<void>,
  by: Person,
): Promise<Verdict> {
  return await inScope(async (scope) => {
    const [victim, commons] = [1, openCommons(scope)];
    await squat(by, path.join(commons, `yggdrasil-${victim}`), commons);
    const person = new Person(scope, victim);
    await person.does('mkdir', path.join(commons, 'home'), 0o700);
    const program = path.resolve(import.meta.dirname, '../../../dist/cmd/yggd.js');
    const said = await person.tries(
      'run',
      [process.execPath, program, '--protocol', 'none', '--config-dir', path.join(commons, 'home')],
      { TMPDIR: commons, HOME: path.join(commons, 'home'), PATH: '/usr/bin:/bin' },
    );
    // It would run until it is ended.
    if (!said.ok) return { succeeded: said.error === 'TimeoutExpired', how: said.sentence };
    const [status, output] = Array.isArray(said.got) ? said.got : [];
    if (status !== 78) throw new Error(`not made: ${status} ${output}`);
    return { succeeded: false, how: String(output) };
  });
}

const embedded = JSON.stringify({
  url: 'mqtt://127.0.0.1:1',
  username: 'yggd',
  password: 'x',
  client_id: 'x',
  topic_prefix: 'yggdrasil',
});

export function leading(at: At): Attempt[] {
  return [
    {
      name: 'answer for the daemon when an administrator asks with yggctl',
      make: () =>
        inScope(async (scope) => {
          const run = path.join(openCommons(scope), 'run');
          await at().stranger.does('mkdir', run, 0o755);
          const socket = path.join(run, 'control.sock');
          await at().stranger.does('listen', socket);
          return await asksIn(scope, at().stranger, run, socket);
        }),
    },
    {
      name: 'answer for the daemon through a link to its socket',
      make: () =>
        inScope(async (scope) => {
          const run = path.join(openCommons(scope), 'run');
          await at().stranger.does('mkdir', run, 0o755);
          const socket = path.join(path.dirname(run), 'there');
          await at().stranger.does('listen', socket);
          await at().stranger.does('symlink', socket, path.join(run, 'control.sock'));
          return await asksIn(scope, at().stranger, run, socket);
        }),
    },
    {
      name: 'name a broker of its own to yggctl',
      make: () =>
        inScope(async (scope) => {
          const run = path.join(openCommons(scope), 'run');
          const port = await at().stranger.does('tcp_listen', 0);
          await at().stranger.does('mkdir', run, 0o755);
          const file = path.join(run, 'embedded.json');
          await at().stranger.does('create', file, embedded.replace(':1"', `:${port}"`), 0o644);
          const child = new Child(scope, process.execPath, [
            ...[yggctlProgram, 'send', 'echo', '"a secret"', '--timeout', '2s', '--runtime-dir', run],
          ]);
          await child.ended(30_000);
          const heard = await at().stranger.does('tcp_heard', 0.5);
          return { succeeded: heard !== '', how: child.output };
        }),
    },
    {
      name: 'take the port that a killed daemon has named to yggctl',
      make: () => inScope((scope) => takesPort(scope, at().stranger)),
    },
    {
      name: 'have a process ended that is not of the daemon',
      make: () => inScope((scope) => marks(scope, at().stranger)),
    },
    {
      name: 'connect to a daemon that was started without a umask, in an open directory',
      make: () =>
        withoutUmask(at(), async (by, run) =>
          kept(await by.tries('connect', path.join(run, 'dispatcher.sock'))),
        ),
    },
    {
      name: 'read what a daemon that was started without a umask has written, in an open directory',
      make: () =>
        withoutUmask(at(), async (by, run) => kept(await by.tries('read', path.join(run, 'embedded.json')))),
    },
  ];
}

/** The same for a daemon of a third user; only where others can run the clone at all. */
export function leadingUsers(at: At): Attempt[] {
  return [
    {
      name: 'be first below the temporary directory, where a daemon of a user goes',
      make: () =>
        startsElsewhere(async (by, run) => void (await by.does('mkdir', run, 0o777)), at().stranger),
    },
    {
      name: 'put a link there',
      make: () =>
        startsElsewhere(async (by, run, commons) => {
          await by.does('mkdir', path.join(commons, 'own'), 0o777);
          await by.does('symlink', path.join(commons, 'own'), run);
        }, at().stranger),
    },
  ];
}

export function leadingControls(at: At): Attempt[] {
  return [
    {
      name: 'a socket of the owner is asked',
      make: () =>
        inScope(async (scope) => {
          const run = path.join(openCommons(scope), 'run');
          mkdirSync(run, { mode: 0o700 });
          const socket = path.join(run, 'control.sock');
          await at().owner.does('listen', socket, 0o600);
          return await asksIn(scope, at().owner, run, socket);
        }),
    },
    {
      name: 'an orphan of the owner is ended',
      make: () => inScope((scope) => marks(scope, at().owner)),
    },
  ];
}
