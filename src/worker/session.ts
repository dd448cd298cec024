/**
 * One connection of a running worker, by either protocol: lanes, link and client put together.
 */
import type { Clock } from '../base/clock.ts';
import type { Logger } from '../base/log.ts';
import { AttachClient } from './attach-client.ts';
import { AttachLink } from './attach-link.ts';
import {
  attachVersion,
  type BrokerEvent,
  type HandlerOffer,
  type HealthResult,
  redeliveries,
  workerFeatures,
} from './frames.ts';
import type { Handler } from './handler.ts';
import { Lanes } from './lanes.ts';
import type { Link } from './link.ts';
import type { Protocol } from './protocol.ts';
import { UnaryClient } from './unary-client.ts';

export interface SessionDeps {
  readonly protocol: Protocol;
  /** Of the daemon. */
  readonly address: string;
  readonly pid: number;
  readonly startTime: string;
  readonly handlers: readonly Handler[];
  readonly clock: Clock;
  readonly random: () => number;
  readonly log: Logger;
  readonly onEvent: (event: BrokerEvent) => void;
  /** The daemon knows this worker, for the first time or again. */
  readonly onConnect: () => void;
}

export interface Session {
  readonly link: Link;
  /** Whether the daemon can be reached now. */
  readonly connected: boolean;
  /** Until the worker has left; `unimplemented`: the daemon does not know this protocol. */
  run(): Promise<'left' | 'unimplemented'>;
  health(results: readonly HealthResult[]): void;
  /** Takes nothing more and ends when everything in hand is said. */
  leave(reason: string): void;
  /** Handlers hear that the worker has to end. */
  interrupt(): void;
  /** Ends whatever is left. */
  cut(): void;
}

const lastCall = 'The worker has to end.';

export function attachSession(deps: SessionDeps): Session {
  const { protocol, address, pid, startTime, handlers, clock, random, log, onConnect } = deps;
  const lanes = new Lanes(deps);
  const link = new AttachLink({ receiver: lanes, clock });
  lanes.connect(link);
  const hello = {
    version: attachVersion,
    features: workerFeatures,
    library: `yggd/worker on Node ${process.versions.node}`,
    pid,
    startTime,
    handlers: handlers.map(offerOf),
  };
  const client = new AttachClient({
    protocol,
    address,
    hello,
    link,
    log,
    clock,
    random,
    onWelcome(welcome) {
      log.info({ handlers: welcome.handlers.map(({ name }) => name).join() }, 'attached to the daemon');
      onConnect();
    },
  });
  return {
    link,
    get connected() {
      return link.connected;
    },
    run: () => client.run().finally(() => link.giveUp()),
    health: (results) => link.health(results),
    leave(reason) {
      lanes.giveBack();
      client.leave(reason);
    },
    interrupt: () => lanes.interrupt(lastCall),
    cut: () => client.cut(),
  };
}

export function unarySession(deps: SessionDeps): Session {
  const lanes = new Lanes(deps);
  const client = new UnaryClient({ ...deps, receiver: lanes });
  lanes.connect(client.link);
  return {
    link: client.link,
    get connected() {
      return client.registered;
    },
    async run() {
      await client.run();
      return 'left';
    },
    // There is nobody to tell.
    health() {},
    // What was taken cannot be given back here: it is finished.
    leave: () => client.leave(),
    interrupt: () => lanes.interrupt(lastCall),
    cut: () => client.cut(),
  };
}

function offerOf(handler: Handler): HandlerOffer {
  const { name, detached, features, redelivery, concurrency, accepts } = handler;
  return { name, detached, features, redelivery: redeliveries[redelivery], concurrency, accepts };
}
