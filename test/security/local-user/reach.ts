/** Reaching a daemon that runs: its sockets, its processes, its embedded broker, yggctl. */
import { chmodSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { generate, type IConnectPacket } from 'mqtt-packet';
import { dataMessage } from '../../helpers/mqtt-server.ts';
import { yggctlProgram } from '../../helpers/yggctl.ts';
import { defaultClientId } from '../../helpers/yggd.ts';
import type { Attempt, Verdict } from '../attempts.ts';
import type { Person } from '../person.ts';
import { kept, type Stage } from './stage.ts';

type At = () => Stage;

/** Register for `stolen`, and an answer to nothing, as they are on the wire. */
const register = '0a0673746f6c656e1001';
const response = '0a0161';

const sockets = {
  'the shared dispatcher socket': /\/dispatcher\.sock$/,
  'the control socket': /\/control\.sock$/,
  'the socket of a worker': /\/[0-9a-z]{8}\.s$/,
} as const;

/** Paths of bound sockets, which the system shows to everybody. */
async function boundSockets({ stranger, home }: Stage): Promise<readonly string[]> {
  const table = String(await stranger.does('read', '/proc/net/unix'));
  return [...new Set(table.split('\n').map((line) => line.split(' ').at(-1) ?? ''))].filter((name) =>
    name.includes(home.runtimeDir),
  );
}

async function eachSocket(stage: Stage, name: RegExp, by: Person): Promise<Verdict> {
  const found = (await boundSockets(stage)).filter((socket) => name.test(socket));
  if (found.length === 0) throw new Error('not made: there is no such socket');
  const verdicts: Verdict[] = [];
  for (const socket of found) verdicts.push(kept(await by.tries('connect', socket)));
  return verdicts.find(({ succeeded }) => succeeded) ?? { succeeded: false, how: `${found.length} sockets` };
}

/** As if an administrator had opened the runtime directory: what is in it has to hold by itself. */
async function opened(stage: Stage, attempt: () => Promise<Verdict>): Promise<Verdict> {
  chmodSync(stage.home.runtimeDir, 0o755);
  try {
    return await attempt();
  } finally {
    chmodSync(stage.home.runtimeDir, 0o700);
  }
}

export function connecting(at: At): Attempt[] {
  const plain = Object.entries(sockets).map(([what, name]) => ({
    name: `connect to ${what}`,
    make: () => eachSocket(at(), name, at().stranger),
  }));
  const behind = Object.entries(sockets).map(([what, name]) => ({
    name: `connect to ${what} when the runtime directory was opened by mistake`,
    make: () => opened(at(), () => eachSocket(at(), name, at().stranger)),
  }));
  const through = ['root', 'cwd'].map((link) => ({
    name: `connect to the control socket through /proc/PID/${link} of the daemon`,
    async make() {
      const { home, yggd, stranger } = at();
      return kept(
        await stranger.tries('connect', `/proc/${yggd.pid}/${link}${home.runtimeDir}/control.sock`),
      );
    },
  }));
  const abstract: Attempt = {
    name: 'connect to an abstract socket of the daemon',
    async make() {
      const stage = at();
      const names = (await boundSockets(stage)).filter((name) => name.startsWith('@'));
      if (names.length > 0) return { succeeded: true, how: names.join() };
      return kept(
        await stage.stranger.tries('connect', `@${stage.home.runtimeDir}/dispatcher.sock`),
        'ECONNREFUSED',
      );
    },
  };
  return [...plain, ...behind, ...through, abstract];
}

export function connectingControls(at: At): Attempt[] {
  return Object.entries(sockets).map(([what, name]) => ({
    name: `the owner connects to ${what}`,
    make: () => eachSocket(at(), name, at().owner),
  }));
}

async function calls(stage: Stage, by: Person, method: string, message: string): Promise<Verdict> {
  const socket = path.join(stage.home.runtimeDir, 'dispatcher.sock');
  return kept(await by.tries('call', socket, `/yggdrasil.Dispatcher/${method}`, message));
}

export function calling(at: At): Attempt[] {
  return [
    { name: 'register as a worker', make: () => calls(at(), at().stranger, 'Register', register) },
    {
      name: 'register as a worker when the runtime directory was opened by mistake',
      make: () => opened(at(), () => calls(at(), at().stranger, 'Register', register)),
    },
    { name: 'send a response to the server', make: () => calls(at(), at().stranger, 'Send', response) },
    { name: 'ask for the configuration', make: () => calls(at(), at().stranger, 'GetConfig', '') },
    {
      name: 'call the control service',
      async make() {
        const { stranger, home } = at();
        const socket = path.join(home.runtimeDir, 'control.sock');
        return kept(await stranger.tries('call', socket, '/yggdrasil.Control/Status', ''));
      },
    },
    {
      name: 'put a socket of its own in the place of one of the daemon',
      make: async () =>
        kept(await at().stranger.tries('listen', path.join(at().home.runtimeDir, 'dispatcher.sock'))),
    },
  ];
}

export function callingControls(at: At): Attempt[] {
  return [
    {
      name: 'the owner registers as a worker',
      make: () => calls(at(), at().owner, 'Register', register),
    },
  ];
}

/** Things of a process that only its user may see. */
export function looking(at: At): Attempt[] {
  const daemon = ['environ', 'auxv', 'syscall', 'stack', 'io'].map((file) => ({
    name: `read /proc/PID/${file} of the daemon`,
    make: async () => kept(await at().stranger.tries('read', `/proc/${at().yggd.pid}/${file}`)),
  }));
  return [
    ...daemon,
    {
      name: 'read the environment of a worker, which may hold secrets of its TOML',
      async make() {
        const [worker] = at().home.processes();
        return kept(await at().stranger.tries('read', `/proc/${worker}/environ`));
      },
    },
    {
      name: 'read the memory of the daemon',
      make: async () => kept(await at().stranger.tries('memory', at().yggd.pid)),
    },
    {
      name: 'attach to the daemon as a debugger',
      make: async () => kept(await at().stranger.tries('trace', at().yggd.pid)),
    },
    {
      name: 'open the descriptors of the daemon',
      make: async () => kept(await at().stranger.tries('list', `/proc/${at().yggd.pid}/fd`)),
    },
    {
      name: "find the embedded broker's password in what everybody may see of all processes",
      async make() {
        const found = await at().stranger.does('search', accessOf(at()).password);
        return { succeeded: Array.isArray(found) && found.length > 0, how: JSON.stringify(found) };
      },
    },
  ];
}

export function lookingControls(at: At): Attempt[] {
  return [
    {
      name: 'the owner reads the environment of the daemon',
      make: async () => kept(await at().owner.tries('read', `/proc/${at().yggd.pid}/environ`)),
    },
    {
      name: 'a secret on a command line is found by everybody',
      async make() {
        const wait = ['/usr/bin/python3', '-c', 'import time; time.sleep(60)'];
        await at().owner.does('start', [...wait, 'a-secret-on-a-command-line'], {});
        const found = await at().stranger.does('search', 'a-secret-on-a-command-line');
        return { succeeded: Array.isArray(found) && found.length > 0, how: JSON.stringify(found) };
      },
    },
  ];
}

export function signalling(at: At): Attempt[] {
  const signals = ['SIGTERM', 'SIGKILL', 'SIGSTOP', 'SIGHUP'].map((signal) => ({
    name: `send ${signal} to the daemon`,
    make: async () => kept(await at().stranger.tries('kill', at().yggd.pid, signal)),
  }));
  return [
    ...signals,
    {
      name: 'kill a worker',
      make: async () => kept(await at().stranger.tries('kill', at().home.processes()[0], 'SIGKILL')),
    },
  ];
}

export function signallingControls(at: At): Attempt[] {
  return [
    {
      name: 'the owner sends a signal to the daemon',
      make: async () => kept(await at().owner.tries('kill', at().yggd.pid, 'SIGCONT')),
    },
  ];
}

interface Access {
  readonly port: number;
  readonly username: string;
  readonly password: string;
}

function accessOf({ home }: Stage): Access {
  const access: Readonly<Record<string, unknown>> = JSON.parse(
    readFileSync(path.join(home.runtimeDir, 'embedded.json'), 'utf8'),
  );
  return {
    port: Number(new URL(String(access['url'])).port),
    username: String(access['username']),
    password: String(access['password']),
  };
}

/** A message that the daemon would show in its log, sent right behind the packets that came before it. */
async function commands(
  stage: Stage,
  by: Person,
  id: string,
  login?: Partial<IConnectPacket>,
): Promise<Verdict> {
  const { port } = accessOf(stage);
  const hello = generate({
    cmd: 'connect',
    protocolId: 'MQTT',
    protocolVersion: 4,
    clean: true,
    keepalive: 0,
    clientId: `client-${id}`,
    ...login,
  });
  const publish = generate({
    cmd: 'publish',
    topic: `yggdrasil/${defaultClientId}/data/in`,
    payload: dataMessage({ directive: 'echo', messageId: id, content: id }).text,
    qos: 1,
    messageId: 1,
    dup: false,
    retain: false,
  });
  const bytes = Buffer.concat(login ? [hello, publish] : [publish]);
  const answer = Buffer.from(String(await by.does('tcp', port, bytes.toString('hex'))), 'hex');
  // CONNACK with return code 0.
  const accepted = answer[0] === 0x20 && answer[3] === 0;
  const taken = stage.yggd.log.some((line) => line['message_id'] === id);
  return { succeeded: accepted || taken, how: `answered ${answer.toString('hex')}` };
}

export function brokering(at: At): Attempt[] {
  const logins: Readonly<Record<string, () => Partial<IConnectPacket> | undefined>> = {
    'without connecting': () => undefined,
    'without a user': () => ({}),
    'with a user and no password': () => ({ username: 'yggd' }),
    'with an empty password': () => ({ username: 'yggd', password: Buffer.from('') }),
    'with a wrong password': () => ({ username: 'yggd', password: Buffer.from('x'.repeat(32)) }),
    'with all of the password but the end': () => ({
      username: 'yggd',
      password: Buffer.from(accessOf(at()).password.slice(0, -1)),
    }),
    'with the password of another user name': () => ({
      username: 'root',
      password: Buffer.from(accessOf(at()).password),
    }),
    'under the client id of the host': () => ({ clientId: defaultClientId, clean: false }),
  };
  const commanding = Object.entries(logins).map(([how, login], index) => ({
    name: `command a worker through the embedded broker ${how}`,
    make: () => commands(at(), at().stranger, `a-strangers-message-${index}`, login()),
  }));
  const file = (): string => path.join(at().home.runtimeDir, 'embedded.json');
  return [
    ...commanding,
    {
      name: "read the embedded broker's access file",
      make: async () => kept(await at().stranger.tries('read', file())),
    },
    {
      name: "read the embedded broker's access file when the runtime directory was opened by mistake",
      make: () => opened(at(), async () => kept(await at().stranger.tries('read', file()))),
    },
  ];
}

export function brokeringControls(at: At): Attempt[] {
  return [
    {
      name: 'with the password a message reaches the worker',
      async make() {
        const { username, password } = accessOf(at());
        const login = { username, password: Buffer.from(password) };
        return await commands(at(), at().stranger, 'a-message-with-the-password', login);
      },
    },
  ];
}

/** yggctl run by another user; only where others can run the clone at all. */
export function asking(at: At): Attempt[] {
  const commandsOf: ReadonlyArray<readonly string[]> = [
    ['status'],
    ['dispatch', 'echo'],
    ['log-level', 'error'],
    ['reload'],
  ];
  const running = commandsOf.map((words) => ({
    name: `yggctl ${words.join(' ')}`,
    make: () => yggctl(at(), [...words, '--runtime-dir', at().home.runtimeDir]),
  }));
  return [
    ...running,
    {
      name: 'yggctl dead-letters on the state directory',
      make: () => yggctl(at(), ['dead-letters', 'list', '--state-dir', at().home.stateDir]),
    },
    {
      name: 'yggctl remote send through the embedded broker',
      make: () => yggctl(at(), ['send', 'echo', '"x"', '--runtime-dir', at().home.runtimeDir]),
    },
  ];
}

async function yggctl({ stranger }: Stage, words: readonly string[]): Promise<Verdict> {
  const ran = await stranger.does('run', [process.execPath, yggctlProgram, ...words]);
  const [status, output] = Array.isArray(ran) ? ran : [];
  if (status !== 0 && !/closed to this user|EACCES|ermission denied/.test(String(output))) {
    throw new Error(`not made: ${status} ${output}`);
  }
  return { succeeded: status === 0, how: String(output) };
}
