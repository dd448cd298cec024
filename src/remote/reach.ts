/**
 * The way to a host and back: finds out who is meant, connects, runs one command, leaves.
 */
import type { Clock } from '../base/clock.ts';
import { reasonOf, YggError } from '../base/errors.ts';
import type { Format, Screen } from '../base/printer.ts';
import type { BrokerClient } from './exchange.ts';
import { createRemoteHost, type HostTopics, type RemoteHost } from './host.ts';
import type { DaemonLookup } from './local-daemon.ts';
import { HostPrinter } from './printer.ts';
import { chooseTarget, type LocalDaemon, type Target, type TargetDeps } from './target.ts';

/** One way to a broker. */
export interface ConnectOptions {
  readonly url: string;
  readonly clientId: string;
  readonly username: string | undefined;
  readonly password: string | undefined;
  readonly tls: Target['tls'];
  /** Milliseconds. */
  readonly deadline: number;
}

export interface ReachDeps extends Pick<TargetDeps, 'loadTls'> {
  connect(options: ConnectOptions): Promise<BrokerClient & { close(): Promise<void> }>;
  /** Where the daemon of this machine is looked for, when the options do not say. */
  findDaemon(where: DaemonLookup): LocalDaemon;
  /** Throws when one of the two cannot be part of a topic. */
  createTopics(topicPrefix: string, host: string): HostTopics;
  /** A client id of our own, a new one each time. */
  newClientId(): string;
  newId(): string;
  readonly clock: Clock;
  readonly out: Screen;
  readonly err: Screen;
}

/** The options that every command takes. */
export interface TargetFlags extends DaemonLookup {
  readonly to?: string;
  readonly broker?: string;
  readonly topicPrefix?: string;
  readonly certFile?: string;
  readonly keyFile?: string;
  readonly caRoot?: readonly string[];
  /** Milliseconds. */
  readonly timeout: number;
  readonly format: Format;
}

/** What a command works with once the broker is reached. */
export interface Reached {
  readonly target: Target;
  readonly topics: HostTopics;
  readonly client: BrokerClient;
  readonly printer: HostPrinter;
  readonly host: RemoteHost;
}

/** Runs one command between reaching the broker and leaving it. */
export async function reach(
  flags: TargetFlags,
  deps: ReachDeps,
  command: (reached: Reached) => Promise<void>,
): Promise<void> {
  const printer = new HostPrinter({ out: deps.out, err: deps.err, format: flags.format });
  const warnings: string[] = [];
  const target = chooseTarget(flags, {
    loadTls: deps.loadTls,
    findDaemon: () => deps.findDaemon(flags),
    warn: (sentence) => warnings.push(sentence),
  });
  const topics = deps.createTopics(target.topicPrefix, target.host);
  for (const warning of warnings) await printer.warn(warning);
  const client = await connectFirst(target, flags.timeout, deps);
  try {
    const { newId, clock } = deps;
    const host = createRemoteHost({ client, newId, clock, timeout: flags.timeout, topics, ...target });
    await command({ target, topics, client, printer, host });
  } finally {
    await client.close();
  }
}

/** The first broker that can be reached, in the order given. */
async function connectFirst(
  { brokers, username, password, tls }: Target,
  deadline: number,
  { connect, newClientId }: ReachDeps,
): Promise<BrokerClient & { close(): Promise<void> }> {
  const failures: unknown[] = [];
  for (const url of brokers) {
    try {
      return await connect({ url, clientId: newClientId(), username, password, tls, deadline });
    } catch (error) {
      failures.push(error);
    }
  }
  if (failures.length === 1) throw failures[0];
  throw new YggError('YGG_BROKER_UNREACHABLE', failures.map(reasonOf).join('\n'), { cause: failures[0] });
}
