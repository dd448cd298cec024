/**
 * A bus of its own with RHSM and systemd on it, played by `test/fixtures/rhsm/fake_host.py`.
 */
import { readFileSync, renameSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { Child } from './child.ts';
import type { Scope } from './scope.ts';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait-for.ts';

const program = path.resolve(import.meta.dirname, '../fixtures/rhsm/fake_host.py');

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
  readonly #stateFile: string;
  readonly #callsFile: string;

  constructor(address: string, folder: string) {
    this.address = address;
    this.#stateFile = path.join(folder, 'state.json');
    this.#callsFile = path.join(folder, 'calls');
    this.become(newHost);
  }

  get files(): readonly [string, string] {
    return [this.#stateFile, this.#callsFile];
  }

  get state(): FakeState {
    return JSON.parse(readFileSync(this.#stateFile, 'utf8'));
  }

  /** Forgets what it was asked, too. */
  become(state: FakeState): void {
    writeFileSync(`${this.#stateFile}.test`, JSON.stringify(state));
    renameSync(`${this.#stateFile}.test`, this.#stateFile);
    writeFileSync(this.#callsFile, '');
  }

  /** What it was asked since, of these methods; of all when none is named. */
  calls(...members: readonly string[]): readonly FakeCall[] {
    const lines = readFileSync(this.#callsFile, 'utf8').trim().split('\n');
    const calls = lines.filter((line) => line !== '').map((line): FakeCall => JSON.parse(line));
    return members.length === 0 ? calls : calls.filter(([member]) => members.includes(member));
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

/** The same as shell commands, for a host that is entered by a script; what they start ends with it. */
export function fakeHostScript(state: FakeState): string {
  const files = {
    'bus.conf': busConfig('/run/rhsm/bus'),
    'fake_host.py': readFileSync(program, 'utf8'),
    'state.json': `${JSON.stringify(state)}\n`,
  };
  const written = Object.entries(files).map(
    ([name, text]) => `cat > /run/rhsm/${name} <<'END'\n${text}END\n`,
  );
  return `mkdir /run/rhsm
${written.join('')}: > /run/rhsm/calls
export DBUS_SYSTEM_BUS_ADDRESS=unix:path=/run/rhsm/bus
setpriv --pdeathsig KILL dbus-daemon --nofork --nosyslog --config-file=/run/rhsm/bus.conf &
until [ -S /run/rhsm/bus ]; do sleep 0.1; done
setpriv --pdeathsig KILL /usr/bin/python3 /run/rhsm/fake_host.py /run/rhsm/state.json /run/rhsm/calls /run/rhsm > /run/rhsm/ready &
until [ -s /run/rhsm/ready ]; do sleep 0.1; done
`;
}

/** The services on a bus. */
export async function startFakeHost(scope: Scope): Promise<FakeHost> {
  const { address, folder } = await startBus(scope);
  const host = new FakeHost(address, folder);
  await startServices(scope, host, folder);
  return host;
}

async function startServices(scope: Scope, host: FakeHost, folder: string): Promise<void> {
  const env = { DBUS_SYSTEM_BUS_ADDRESS: host.address, PYTHONDONTWRITEBYTECODE: '1' };
  const services = new Child(scope, '/usr/bin/python3', [program, ...host.files, folder], { env });
  await waitFor(() => services.stdout.length > 0, { what: 'services', detail: () => services.output });
}
