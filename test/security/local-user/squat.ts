/** Being there first: paths that another user has made before the daemon starts. */
import { chmodSync, chownSync, copyFileSync, lstatSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Scope } from '../../helpers/scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { type Home, startYggd } from '../../helpers/yggd.ts';
import type { Attempt, Verdict } from '../attempts.ts';
import { nobody, type Person } from '../person.ts';
import { directory, openCommons, openHome, type Stage } from './stage.ts';

type At = () => Stage;

/** What another user prepares; returns the flags of the daemon that meets it. */
type Squat = (
  by: Person,
  at: { readonly home: Home; readonly commons: string; readonly own: string },
) => Promise<readonly string[]>;

/** Refused to start is stopped; a daemon that comes up beside what was prepared is not. */
async function meets(by: Person, squat: Squat): Promise<Verdict> {
  const scope = new Scope();
  try {
    const home = openHome(scope);
    const commons = openCommons(scope);
    const own = path.join(commons, 'of-another');
    await by.does('mkdir', own, 0o755);
    const flags = await squat(by, { home, commons, own });
    const yggd = startYggd(scope, { home, brokers: [], flags: ['--protocol', 'none', ...flags] });
    const runtimeDir = flagOf(flags, '--runtime-dir') ?? home.runtimeDir;
    const up = (): boolean =>
      lstatSync(path.join(runtimeDir, 'control.sock'), { throwIfNoEntry: false }) !== undefined;
    await waitFor(() => yggd.exit ?? up(), {
      what: 'the daemon',
      deadline: 30_000,
      detail: () => yggd.output,
    });
    if (!yggd.exit) return { succeeded: true, how: `the daemon runs\n${yggd.output}` };
    if (yggd.exit.code !== 78 && yggd.exit.code !== 75) throw new Error(`not made\n${yggd.output}`);
    return { succeeded: false, how: yggd.lines.filter(Boolean).at(-1) ?? '' };
  } finally {
    await scope.end();
  }
}

function flagOf(flags: readonly string[], name: string): string | undefined {
  const at = flags.indexOf(name);
  return at < 0 ? undefined : flags[at + 1];
}

const squats: Readonly<Record<string, Squat>> = {
  async 'make the runtime directory first'(by, { commons }) {
    const run = path.join(commons, 'run');
    await by.does('mkdir', run, 0o777);
    return ['--runtime-dir', run];
  },
  async 'make the runtime directory first, as closed as it should be'(by, { commons }) {
    const run = path.join(commons, 'run');
    await by.does('mkdir', run, 0o700);
    return ['--runtime-dir', run];
  },
  async 'make the state directory first'(by, { commons }) {
    const state = path.join(commons, 'state');
    await by.does('mkdir', state, 0o777);
    return ['--state-dir', state];
  },
  async 'put a link to a directory of its own in the place of the runtime directory'(by, { commons, own }) {
    const run = path.join(commons, 'run');
    await by.does('symlink', own, run);
    return ['--runtime-dir', run];
  },
  async "put a link to a closed directory of the daemon's user in the place of the state directory"(
    by,
    { home, commons },
  ) {
    const closed = directory(path.dirname(home.configDir), 'closed', 0o700);
    const state = path.join(commons, 'state');
    await by.does('symlink', closed, state);
    return ['--state-dir', state];
  },
  async 'put a link into the way to the state directory'(by, { home, commons }) {
    const way = path.join(commons, 'way');
    await by.does('symlink', path.dirname(home.stateDir), way);
    return ['--state-dir', path.join(way, 'state')];
  },
  async 'own the directory above the runtime directory'(_, { own }) {
    return ['--runtime-dir', path.join(own, 'run')];
  },
  async 'be able to write in the directory above the runtime directory'(_, { home }) {
    const open = directory(path.dirname(home.runtimeDir), 'open', 0o777);
    return ['--runtime-dir', path.join(open, 'run')];
  },
  async 'be in the group that may write in the directory above the state directory'(_, { home }) {
    const shared = directory(path.dirname(home.runtimeDir), 'shared', 0o775);
    chownSync(shared, 0, nobody);
    return ['--state-dir', path.join(shared, 'state')];
  },
  async 'listen at socket-addr first'(by, { commons }) {
    const socket = path.join(commons, 'dispatcher.sock');
    await by.does('listen', socket);
    return ['--socket-addr', socket];
  },
  async 'put a link to another file in the place of socket-addr'(by, { home, commons }) {
    const victim = path.join(path.dirname(home.configDir), 'victim');
    writeFileSync(victim, 'kept');
    const socket = path.join(commons, 'dispatcher.sock');
    await by.does('symlink', victim, socket);
    return ['--socket-addr', socket];
  },
  async 'put a link to nothing in the place of socket-addr'(by, { commons, own }) {
    const socket = path.join(commons, 'dispatcher.sock');
    await by.does('symlink', path.join(own, 'taken'), socket);
    return ['--socket-addr', socket];
  },
  async 'put a pipe in the place of socket-addr'(by, { commons }) {
    const socket = path.join(commons, 'dispatcher.sock');
    await by.does('mkfifo', socket);
    return ['--socket-addr', socket];
  },
  async 'own the directory of socket-addr'(_, { own }) {
    return ['--socket-addr', path.join(own, 'dispatcher.sock')];
  },
  async 'own the configuration file'(by, { own }) {
    const file = path.join(own, 'config.toml');
    await by.does('create', file, 'broker = ["mqtt://127.0.0.1:1"]\n', 0o644);
    return ['--config', file];
  },
  async 'be able to write the configuration file'(by, { home }) {
    const file = path.join(home.configDir, 'config.toml');
    writeFileSync(file, 'protocol = "none"\n');
    chmodSync(file, 0o666);
    await by.does('write', file, 'protocol = "none"\nbroker = ["mqtt://127.0.0.1:1"]\n');
    return ['--config', file];
  },
  async 'be able to replace the configuration file'(by, { home, own }) {
    const open = directory(path.dirname(home.configDir), 'open', 0o777);
    const file = path.join(open, 'config.toml');
    writeFileSync(file, 'protocol = "none"\n');
    await by.does('create', path.join(own, 'new'), 'protocol = "none"\n', 0o644);
    await by.does('rename', path.join(own, 'new'), file);
    return ['--config', file];
  },
};

/** What makes up an identity on the network, which a mistake has left open. */
const fixtures = path.resolve(import.meta.dirname, '../../fixtures/tls');
const identity = { 'cert-file': 'client.pem', 'key-file': 'client-key.pem', 'ca-root': 'ca.pem' } as const;

const identitySquats = Object.fromEntries(
  Object.keys(identity).map((open): [string, Squat] => [
    `be able to write ${open}`,
    async (by, { home }) => {
      const flags: string[] = [];
      for (const [option, name] of Object.entries(identity)) {
        const file = path.join(home.configDir, name);
        copyFileSync(path.join(fixtures, name), file);
        chmodSync(file, option === open ? 0o666 : 0o600);
        flags.push(`--${option}`, file);
      }
      const file = path.join(home.configDir, identity[open as keyof typeof identity]);
      await by.does('write', file, String(await by.does('read', file)));
      return flags;
    },
  ]),
);

export function squatting(at: At): Attempt[] {
  return Object.entries({ ...squats, ...identitySquats }).map(([name, squat]) => ({
    name,
    make: () => meets(at().stranger, squat),
  }));
}

/** The same by the daemon's own user is taken for what it is, so a refusal is about who it was. */
export function squattingControls(at: At): Attempt[] {
  return ['make the runtime directory first, as closed as it should be', 'own the configuration file'].map(
    (name) => ({
      name: `${name}, by the owner`,
      async make() {
        const squat = squats[name];
        if (!squat) throw new Error(`no attempt ${name}`);
        return await meets(at().owner, squat);
      },
    }),
  );
}
