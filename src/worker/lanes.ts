/**
 * The lanes of all handlers of a worker: what comes over the link goes to the one it is for.
 */
import type { Timer } from '../base/clock.ts';
import { type BrokerEvent, type Delivery, type HandlerGrant, results } from './frames.ts';
import type { Handler } from './handler.ts';
import type { Run } from './job.ts';
import { Lane, type LaneDeps } from './lane.ts';
import type { Link, LinkReceiver } from './link.ts';

export interface LanesDeps extends Pick<LaneDeps, 'clock' | 'log'> {
  readonly handlers: readonly Handler[];
  readonly onEvent: (event: BrokerEvent) => void;
}

/** Milliseconds before the end of its patience at which the daemon's stop reaches the handlers. */
const warning = 1_000;

export class Lanes implements LinkReceiver {
  readonly #deps: LanesDeps;
  readonly #lanes = new Map<string, Lane>();
  /** Which lane has a delivery. */
  readonly #places = new Map<number, Lane>();
  #link: Link | undefined;
  /** The daemon is about to stop. */
  #drain: Timer | undefined;

  constructor(deps: LanesDeps) {
    this.#deps = deps;
  }

  /** Everything begins anew on this link. */
  connect(link: Link): void {
    const { handlers, clock, log } = this.#deps;
    this.#link = link;
    this.#lanes.clear();
    const onEnd = (delivery: number): void => void this.#places.delete(delivery);
    for (const handler of handlers) {
      this.#lanes.set(handler.name, new Lane({ handler, link, clock, log, onEnd }));
    }
  }

  /** What has not begun goes back. */
  giveBack(): void {
    for (const lane of this.#lanes.values()) lane.giveBack();
  }

  /** Handlers hear that the worker has to end. */
  interrupt(reason: string): void {
    for (const run of this.#runs()) run.interrupt(reason);
  }

  onGrant(grant: HandlerGrant): void {
    // Whoever stopped is back.
    this.#drain?.cancel();
    this.#lanes.get(grant.name)?.agree(grant);
  }

  onDelivery(delivery: Delivery): void {
    const lane = this.#lanes.get(delivery.directive);
    if (lane) {
      this.#places.set(delivery.number, lane);
      lane.take(delivery);
    } else this.#link?.end({ delivery: delivery.number, result: results.returned });
  }

  onCancel(delivery: number): void {
    this.#places.get(delivery)?.find(delivery)?.cancel();
  }

  onDrop(delivery: number): void {
    this.#places.get(delivery)?.find(delivery)?.drop();
  }

  onEvent(event: BrokerEvent): void {
    this.#deps.onEvent(event);
  }

  onDrain(patience: number): void {
    this.giveBack();
    const span = Math.max(0, patience - warning);
    this.#drain = this.#deps.clock.after(span, () => this.interrupt('The daemon stops.'));
  }

  *#runs(): Generator<Run> {
    for (const lane of this.#lanes.values()) yield* lane.runs;
  }
}
