/**
 * A bus of its own with RHSM and systemd on it: RHSM is played by a program on python3-dbus, systemd by python3-dbusmock
 * with its systemd template and what `test/fixtures/rhsm/fake_systemd.py` adds to it.
 */
import { readdirSync, readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Child } from './child.ts';
import type { Scope } from './scope.ts';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait-for.ts';

const programs = path.resolve(import.meta.dirname, '../fixtures/rhsm');
/** What a shell starts with this ends with the shell. */
const tied = 'setpriv --pdeathsig KILL';

/** What the host is, and how it misbehaves. */
export interface FakeState {
  /** Of the consumer; empty while it is not registered. */
  readonly uuid: string;
  readonly users: Readonly<Record<string, string>>;
  readonly organizations: ReadonlyArray<{ readonly key: string; readonly displayName: string }>;
  readonly facts: Readonly<Record<string, string>>;
  /** Of yggd.service; without a file it is not installed. */
  readonly unit: { readonly file: string; readonly active: string; readonly sub: string };
  /** Program and words behind yggd.service; started and stopped with it. */
  readonly service?: readonly string[];
  /** How a job of systemd ends; `never` does not. */
  readonly job?: string;
  /** Jobs end before their number is told. */
  readonly hasty?: boolean;
  /** Methods that are never answered. */
  readonly silent?: readonly string[];
  /** Methods in which the service dies. */
  readonly deadly?: readonly string[];
  /** Methods that are answered with this error. */
  readonly refuse?: Readonly<Record<string, readonly [name: string, text: string]>>;
  /** The private connection has an abstract address, or this one. */
  readonly abstract?: boolean;
  readonly address?: string;
}

export const consumer = '4f5d0f8e-1f52-4e0b-9c6a-2a8d3b1c7e90';

export const newHost: FakeState = {
  uuid: '',
  users: { alice: 'correct horse' },
  organizations: [{ key: 'acme', displayName: 'Acme Inc.' }],
  facts: { 'cpu.cpu(s)': '2', 'distribution.name': 'Fedora Linux', 'uname.machine': 'x86_64' },
  unit: { file: 'disabled', active: 'inactive', sub: 'dead' },
};

/** A method and its arguments. */
export type FakeCall = readonly [member: string, ...args: unknown[]];

export class FakeHost {
  readonly address: string;
  readonly #folder: string;

  constructor(address: string, folder: string) {
    this.address = address;
    this.#folder = folder;
    this.become(newHost);
  }

  get state(): FakeState {
    return JSON.parse(readFileSync(this.#file('state.json'), 'utf8'));
  }

  /** Forgets what it was asked, too. */
  become(state: FakeState): void {
    writeFileSync(this.#file('state.json.test'), JSON.stringify(state));
    renameSync(this.#file('state.json.test'), this.#file('state.json'));
    writeFileSync(this.#file('calls'), '');
  }

  /** What it was asked since, of these methods; of all when none is named. */
  calls(...members: readonly string[]): readonly FakeCall[] {
    const lines = readFileSync(this.#file('calls'), 'utf8').trim().split('\n');
    const calls = lines.filter((line) => line !== '').map((line): FakeCall => JSON.parse(line));
    return members.length === 0 ? calls : calls.filter(([member]) => members.includes(member));
  }

  #file(name: string): string {
    return path.join(this.#folder, name);
  }
}

/** A bus without any service. */
export async function startBus(scope: Scope): Promise<{ readonly address: string; readonly folder: string }> {
  const folder = tempDir(scope);
  const socket = path.join(folder, 'bus');
  const config = path.join(folder, 'bus.conf');
  writeFileSync(config, busConfig(socket));
  const words = ['--nofork', '--nosyslog', '--print-address', `--config-file=${config}`];
  const bus = new Child(scope, '/usr/bin/dbus-daemon', words);
  await waitFor(() => bus.stdout.length > 0, { what: 'address of the bus', detail: () => bus.output });
  return { address: `unix:path=${socket}`, folder };
}

function busConfig(socket: string): string {
  return `<busconfig><type>system</type><listen>unix:path=${socket}</listen><auth>EXTERNAL</auth>
    <policy context="default"><allow send_destination="*"/><allow receive_sender="*"/><allow own="*"/>
    <allow user="*"/></policy></busconfig>
`;
}

/** The services on a bus. */
export async function startFakeHost(scope: Scope): Promise<FakeHost> {
  const { address, folder } = await startBus(scope);
  const host = new FakeHost(address, folder);
  const env = { DBUS_SYSTEM_BUS_ADDRESS: address, PYTHONPATH: programs, PYTHONDONTWRITEBYTECODE: '1' };
  const started = Object.entries(services(programs, folder)).map(([name, words]) => ({
    name,
    service: new Child(scope, '/usr/bin/python3', words, { env }),
  }));
  for (const { name, service } of started) {
    await waitFor(() => service.stdout.length > 0, { what: name, detail: () => service.output });
  }
  return host;
}

/** The words for python of each service; each prints something once it is there. */
function services(programFolder: string, folder: string): Readonly<Record<string, readonly string[]>> {
  const template = path.join(programFolder, 'fake_systemd.py');
  return {
    rhsm: [path.join(programFolder, 'fake_rhsm.py'), folder],
    systemd: ['-m', 'dbusmock', '--template', template, '--parameters', JSON.stringify({ folder })],
  };
}

/** The same as shell commands, for a host that is entered by a script; what they start ends with it. */
export function fakeHostScript(state: FakeState): string {
  const folder = '/run/rhsm';
  const sources = readdirSync(programs)
    .filter((name) => name.endsWith('.py'))
    .map((name) => [name, readFileSync(path.join(programs, name), 'utf8')]);
  const files = [
    ['bus.conf', busConfig(`${folder}/bus`)],
    ['state.json', `${JSON.stringify(state)}\n`],
    ['calls', ''],
    ...sources,
  ];
  const written = files.map(([name, text]) => `cat > ${folder}/${name} <<'END'\n${text}END\n`);
  const started = Object.entries(services(folder, folder)).map(
    ([name, words]) => `${tied} /usr/bin/python3 '${words.join("' '")}' > ${folder}/${name}.out &
until [ -s ${folder}/${name}.out ]; do sleep 0.1; done
`,
  );
  return `mkdir ${folder}
${written.join('')}export DBUS_SYSTEM_BUS_ADDRESS=unix:path=${folder}/bus
${tied} dbus-daemon --nofork --nosyslog --config-file=${folder}/bus.conf &
until [ -S ${folder}/bus ]; do sleep 0.1; done
export PYTHONPATH=${folder}
${started.join('')}unset PYTHONPATH
`;
}
