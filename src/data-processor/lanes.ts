/**
 * The order of responses: within a lane, the responses of one worker to one message, nothing is sent on before what
 * was sent earlier has arrived, over HTTP and MQTT alike.
 *
 * What is published keeps its order by itself, so a lane is held by a post alone, and a post waits for the last of
 * its lane that is still being published. Knows sequences, never contents; as many as the outbox holds.
 */
import type { Outbox, ResponseRow } from '../journal/journal.ts';
import { isAddress } from '../messages.ts';

export interface LanesDeps {
  readonly outbox: Pick<Outbox, 'row'>;
  /** Waits only while the next part's channel is full. */
  readonly publish: (sequence: number) => Promise<void> | undefined;
  /** `leave` is to be called when it ended. */
  readonly post: (row: ResponseRow, lane: number) => void;
}

/** Rows a sweep finds still there before it concludes that nothing was published lately. */
const sweepDepth = 256;

export class Lanes {
  readonly #deps: LanesDeps;
  /** For each held lane what waits behind its post, oldest first. */
  readonly #held = new Map<number, number[]>();
  /** Held lanes whose post waits for a publish, and the post. */
  readonly #waiting = new Map<number, number>();
  /** Lane of each response that is being published, oldest first. */
  readonly #publishing = new Map<number, number>();
  /** The last of them in each lane. */
  readonly #lastPublished = new Map<number, number>();

  constructor(deps: LanesDeps) {
    this.#deps = deps;
  }

  /** Takes the next response of the outbox. */
  enter(row: ResponseRow): Promise<void> | undefined {
    const lane = laneOf(row);
    const behind = this.#held.get(lane);
    if (behind) behind.push(row.sequence);
    else if (isAddress(row.directive)) this.#post(row, lane, []);
    else return this.#publish(row.sequence, lane);
    return undefined;
  }

  /** The post that held a lane ended. */
  leave(lane: number): void {
    const behind = this.#held.get(lane) ?? [];
    this.#held.delete(lane);
    for (let next = behind.shift(); next !== undefined; next = behind.shift()) {
      const row = this.#deps.outbox.row(next);
      if (!row) continue;
      if (isAddress(row.directive)) {
        this.#post(row, lane, behind);
        return;
      }
      void this.#publish(next, lane);
    }
  }

  /** A response was published, or is gone for another reason. */
  published(sequence: number): void {
    const lane = this.#publishing.get(sequence);
    if (lane === undefined) return;
    this.#publishing.delete(sequence);
    if (this.#lastPublished.get(lane) !== sequence) return;
    this.#lastPublished.delete(lane);
    const post = this.#waiting.get(lane);
    if (post === undefined) return;
    this.#waiting.delete(lane);
    const row = this.#deps.outbox.row(post);
    if (row) this.#deps.post(row, lane);
    else this.leave(lane);
  }

  /** Finds what was published, or died, without anybody saying so: notices may be dropped. */
  sweep(): void {
    let present = 0;
    for (const sequence of this.#publishing.keys()) {
      if (!this.#deps.outbox.row(sequence)) this.published(sequence);
      else if (++present === sweepDepth) return;
    }
  }

  #post(row: ResponseRow, lane: number, behind: number[]): void {
    this.#held.set(lane, behind);
    const last = this.#lastPublished.get(lane);
    if (last !== undefined && this.#deps.outbox.row(last)) this.#waiting.set(lane, row.sequence);
    else this.#deps.post(row, lane);
  }

  #publish(sequence: number, lane: number): Promise<void> | undefined {
    this.#publishing.set(sequence, lane);
    this.#lastPublished.set(lane, sequence);
    return this.#deps.publish(sequence);
  }
}

/**
 * The lane of a response, as a number because there may be as many lanes as the outbox has rows (FNV-1a, 31 bits).
 * Two lanes with the same number are kept in order though they need not be; nothing else happens to them. What
 * answers no message is in order with what the same worker sent to the same address.
 */
function laneOf({ handler, responseTo, directive }: ResponseRow): number {
  const name = responseTo === '' ? `${handler}\n\n${directive}` : `${handler}\n${responseTo}`;
  let hash = 0x811c9dc5;
  for (let index = 0; index < name.length; index += 1) {
    hash = Math.imul(hash ^ name.charCodeAt(index), 0x01000193);
  }
  return hash >>> 1;
}
