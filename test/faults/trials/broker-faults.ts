/** A broker, and a network before it, that break in every way; the daemon and its worker stay up. */
import { reasonOf } from '../../../src/base/errors.ts';
import { ledger } from '../../helpers/ledger.ts';
import type { Scope } from '../../helpers/scope.ts';
import {
  type BrokerConnection,
  type BrokerScript,
  startScriptedBroker,
} from '../../helpers/scripted-broker.ts';
import { startTcpProxy, type TcpProxy } from '../../helpers/tcp-proxy.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { nodeWorker } from '../../helpers/worker-files.ts';
import { createHome, defaultClientId, startYggd } from '../../helpers/yggd.ts';
import type { Dice } from '../dice.ts';
import { compare, type Verdict } from '../ledgers.ts';
import { Session } from '../session.ts';

export interface BrokerFaultsOptions {
  readonly dice: Dice;
  readonly faults: number;
  /** Requests that come between two faults. */
  readonly messagesPerFault: number;
  /** Each ends a connection. */
  readonly onlyEnds?: boolean;
  /** Milliseconds without any progress after which it is stuck. */
  readonly patience?: number;
  /** Another build of the daemon. */
  readonly program?: string;
}

export interface BrokerFaultsResult extends Verdict {
  readonly faults: number;
  /** What the daemon did that no client may do. */
  readonly wrong: readonly string[];
  /** What it said last, when it did not go on by itself. */
  readonly stuck: string | undefined;
}

const maxMessageSize = 64 * 1024;
/** A packet may have this much more, for its topic and its envelope. */
const packetLimit = maxMessageSize + 130 * 1024;
export async function brokerFaults(scope: Scope, options: BrokerFaultsOptions): Promise<BrokerFaultsResult> {
  const { dice, faults, messagesPerFault, patience = 20_000, program } = options;
  const kinds = options.onlyEnds ? ends : faultsOf;
  const script: BrokerScript = {};
  const broker = await startScriptedBroker(script);
  scope.defer(() => broker.close());
  const proxy = await startTcpProxy(scope, broker.port);
  const book = ledger(scope);
  const session = new Session({
    dice,
    base: `yggdrasil/${defaultClientId}`,
    directive: 'echo',
    packetLimit,
  });
  const site: Site = { script, proxy, dice, session, connection: undefined, refusals: 0, subscribed: false };
  direct(site);
  const home = createHome(scope, [nodeWorker({ handler: 'echo', ledger: book.file })]);
  const yggd = startYggd(scope, {
    home,
    brokers: [`mqtt://127.0.0.1:${proxy.port}`],
    logLevel: 'error',
    flags: [
      '--mqtt-keep-alive',
      '5s',
      '--mqtt-publish-timeout',
      '2s',
      '--mqtt-connect-timeout',
      '2s',
      '--mqtt-reconnect-delay',
      '100ms',
      '--mqtt-connect-retry-interval',
      '1s',
      '--max-message-size',
      '64KiB',
    ],
    ...(program !== undefined && { program }),
  });

  const driver = setInterval(() => {
    const latest = broker.connections.at(-1);
    if (latest && latest !== site.connection && site.subscribed && hasSpoken(latest)) {
      site.connection = latest;
      session.connected(latest);
    }
    session.turn();
  }, 2);
  scope.defer(() => clearInterval(driver));

  /** Waits until `done`, as long as anything is settled. */
  const goesOn = async (done: () => boolean): Promise<void> => {
    while (!done()) {
      const before = session.ledgers.settled;
      const more = (): boolean => session.ledgers.settled > before || done();
      await waitFor(more, { what: 'progress', deadline: patience });
    }
  };
  let struck = 0;
  let stuck: string | undefined;
  try {
    for (; struck < faults; struck += 1) {
      session.add(messagesPerFault);
      const target = session.ledgers.settled + dice.between(1, messagesPerFault);
      await goesOn(() => session.ledgers.settled >= target);
      await dice.pick(kinds)(site);
    }
    proxy.passage = { kind: 'whole' };
    script.publish = (packet) => take(site, packet);
    await goesOn(() => session.over);
  } catch (error) {
    stuck = `${reasonOf(error)}\n${yggd.output}`;
  }
  clearInterval(driver);
  await yggd.stop();
  return { ...compare(session.ledgers, book.entries()), faults: struck, wrong: session.wrong, stuck };
}

/** Everything a fault can be put into. */
interface Site {
  readonly script: BrokerScript;
  readonly proxy: TcpProxy;
  readonly dice: Dice;
  readonly session: Session;
  connection: BrokerConnection | undefined;
  /** Connections still to be refused. */
  refusals: number;
  /** The session has its subscriptions. */
  subscribed: boolean;
}

function take({ session }: Site, packet: Parameters<Session['took']>[0]): 'ack' {
  session.took(packet);
  return 'ack';
}

/** How the broker answers while nothing is wrong with it, but for refusals that were ordered. */
function direct(site: Site): void {
  const { script, dice } = site;
  script.connect = () => {
    if (site.refusals > 0) {
      site.refusals -= 1;
      return dice.next() < 0.5 ? 'drop' : { returnCode: dice.pick([3, 5]) };
    }
    return { sessionPresent: site.subscribed };
  };
  script.subscribe = ({ subscriptions }) => grant(site, subscriptions.length);
  script.publish = (packet) => take(site, packet);
}

function grant(site: Site, topics: number): number[] {
  site.subscribed = true;
  return Array.from({ length: topics }, () => 1);
}

/** It was accepted, and the daemon knows. */
function hasSpoken({ received, closed }: BrokerConnection): boolean {
  return !closed && received.length > 1;
}

type Fault = (site: Site) => void | Promise<void>;

/** One connection is ended, in some way. */
const ends: readonly [Fault, ...Fault[]] = [
  ({ connection }) => connection?.drop(),
  ({ connection }) => connection?.reset(),
  ({ connection }) => connection?.cutInside('{"type":"data"}'),
  ({ connection }) => connection?.raw(Buffer.from([0, 0, 0])),
  ({ proxy }) => proxy.cut(),
];

const faultsOf: readonly [Fault, ...Fault[]] = [
  ...ends,
  // Half-open: both sides believe in the connection for a while.
  async ({ proxy, dice }) => {
    proxy.passage = { kind: 'swallowed' };
    await sleep(dice.between(200, 4_000));
    proxy.cut();
    proxy.passage = { kind: 'whole' };
  },
  ({ proxy, dice }) => {
    proxy.passage = { kind: 'sliced', bytes: dice.between(1, 64) };
  },
  ({ proxy, dice }) => {
    proxy.passage = { kind: 'delayed', ms: dice.between(1, 200) };
  },
  ({ proxy }) => {
    proxy.passage = { kind: 'whole' };
  },
  (site) => {
    site.refusals = site.dice.between(1, 3);
    site.connection?.drop();
  },
  // The session is gone: the daemon has to subscribe again.
  (site) => {
    site.subscribed = false;
    site.connection?.drop();
  },
  (site) => {
    site.subscribed = false;
    site.script.subscribe = ({ subscriptions }) => {
      site.script.subscribe = (next) => grant(site, next.subscriptions.length);
      return subscriptions.map(() => 0x80);
    };
    site.connection?.drop();
  },
  // What the daemon publishes is not acknowledged, and not taken either.
  (site) => {
    let left = site.dice.between(1, 20);
    site.script.publish = (packet) => {
      left -= 1;
      if (left < 0) return take(site, packet);
      return 'silent';
    };
  },
  (site) => {
    site.script.publish = (packet) => {
      site.script.publish = (next) => take(site, next);
      return packet.qos === 0 ? 'ack' : 'drop';
    };
  },
  // Taken, and acknowledged late.
  (site) => {
    let left = site.dice.between(1, 20);
    site.script.publish = (packet, connection) => {
      left -= 1;
      take(site, packet);
      if (left < 0) return 'ack';
      const { messageId } = packet;
      if (messageId !== undefined)
        setTimeout(() => connection.send({ cmd: 'puback', messageId }), site.dice.between(1, 500));
      return 'silent';
    };
  },
  ({ connection }) => connection?.send({ cmd: 'puback', messageId: 65_000 }),
  ({ connection }) => void connection?.publish({ topic: 'somebody/else', payload: 'x', qos: 0 }),
];

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
