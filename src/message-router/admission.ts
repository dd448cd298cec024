/**
 * Moves requests from the inbox into the working set: the one place where slots are given.
 *
 * Owns the slots. Only directives with a live worker have any; a directive that has one gets at least one slot,
 * whatever the others hold. Rows are read from the journal as slots come free, never kept here. Cancels run in a lane
 * of their own and take no slot.
 */
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { SharedWait } from '../base/shared-wait.ts';
import type { Counters } from '../counters.ts';
import type { Datastore } from '../datastore.ts';
import type { Inbox, NewRequest, Receipt, RequestRow } from '../journal/journal.ts';
import type { Settlement } from '../signals.ts';
import type { Outlook } from './arrivals.ts';
import { type Lane, newLane, restart } from './lane.ts';
import { Slots, type SlotWindow } from './slots.ts';

export interface AdmissionDeps {
  readonly inbox: Pick<Inbox, 'receive' | 'back' | 'bury' | 'waiting' | 'waitingCount' | 'cancels'>;
  readonly datastore: Pick<Datastore, 'workers' | 'messages'>;
  /** A request is in the working set now. */
  readonly onAdmitted: (sequence: number, directive: string, cancel: boolean) => void;
  /** Something waits for a directive that has no worker. */
  readonly onOrphaned: (directive: string) => void;
  /** What waits was looked at: if nothing does, there may be a slot for what comes. */
  readonly onRoom: (directive: string) => void;
  readonly counters: Pick<Counters, 'count'>;
  readonly log: Logger;
  /** Over all directives. */
  readonly window: SlotWindow;
}

/** Cancels of one directive that wait on disk, and that wait in the working set. */
const maxCancels = 16;
/** Rows read at a time. */
const page = 64;
/** Requests that are offered together are cheap. */
const several = 16;

/** A request that is being written. */
interface Arrival {
  readonly lane: Lane;
  readonly sequence: number;
  readonly request: NewRequest;
  /** It has its slot, and is written as offered. */
  readonly direct: boolean;
}

export class Admission {
  readonly #deps: AdmissionDeps;
  readonly #arriving: SharedWait<Arrival>;
  readonly #lanes = new Map<string, Lane>();
  readonly #slots: Slots;
  /** Directives that had slots of their own but no room in the global window. */
  readonly #starved = new Set<string>();
  #closed = false;

  constructor(deps: AdmissionDeps) {
    this.#deps = deps;
    this.#slots = new Slots(deps.window);
    this.#arriving = new SharedWait((arrived, error) => this.#onArrived(arrived, error));
  }

  /** Slots taken, over all directives. */
  get taken(): number {
    return this.#slots.taken;
  }

  /** No more admissions; what is received stays on disk. */
  close(): void {
    this.#closed = true;
  }

  /**
   * Puts a request into the inbox, and into the working set as soon as it can be. With a free slot, nothing else
   * waiting and nothing to fetch, it is committed as offered at once: a commit of its own would cost 0.4 ms.
   */
  receive(request: NewRequest): Receipt {
    const { inbox, datastore } = this.#deps;
    const { directive, content } = request;
    const lane = this.#lane(directive);
    const worker = datastore.workers.get(directive);
    const direct =
      !request.cancel && worker !== undefined && this.outlook(directive, content.length) === 'offered';
    const receipt = inbox.receive(request, direct ? { redelivery: worker.redelivery } : undefined);
    const { sequence } = receipt;
    if (direct) this.#slots.occupy(lane, sequence, content.length);
    else lane.uncommitted.add(sequence);
    this.#arriving.add(receipt.committed, { lane, sequence, request, direct });
    return receipt;
  }

  /** What becomes of a request with content of this size if it is received now, and is no cancel. */
  outlook(directive: string, size: number): Outlook {
    const worker = this.#deps.datastore.workers.get(directive);
    if (!worker || worker.detached || this.#closed) return 'orphaned';
    const lane = this.#lane(directive);
    if (lane.uncommitted.size > 0 || this.#deps.inbox.waitingCount(directive) > 0) return 'waiting';
    if (this.#slots.hasRoom(lane, worker.slots, size)) return 'offered';
    if (lane.slots < worker.slots) this.#starved.add(directive);
    return 'waiting';
  }

  /** Whether there is room for half as many as its worker has in hand, or for a good many. */
  hasRoomForSeveral(directive: string): boolean {
    const worker = this.#deps.datastore.workers.get(directive);
    const inHand = this.#lanes.get(directive)?.slots ?? 0;
    if (!worker || inHand === 0) return true;
    return Math.min(worker.slots - inHand, this.#slots.free) >= Math.min(several, inHand / 2);
  }

  /** How many of a directive have ended so far. */
  settled(directive: string): number {
    return this.#lanes.get(directive)?.settled ?? 0;
  }

  /** What was received together is admitted together: a lane is looked at once, whatever came for it. */
  #onArrived(arrived: readonly Arrival[], error: unknown): void {
    for (const { lane, sequence } of arrived) lane.uncommitted.delete(sequence);
    const lanes = new Map<Lane, Arrival>();
    for (const arrival of arrived) {
      lanes.set(arrival.lane, arrival);
      this.#guarded(arrival, ({ lane, sequence, request, direct }) => {
        if (error !== undefined) this.drop(sequence, lane.directive);
        else if (direct) this.#enterOffered(sequence, request);
        else if (request.cancel) this.#onCancelWaiting(lane);
      });
    }
    for (const [lane, arrival] of lanes) {
      if (error === undefined) this.#guarded(arrival, () => this.fill(lane.directive));
      this.#tidy(lane);
    }
  }

  #guarded(arrival: Arrival, work: (arrival: Arrival) => void): void {
    try {
      work(arrival);
    } catch (error) {
      const { messageId, directive } = arrival.request;
      const fields = { message_id: messageId, directive, error: reasonOf(error) };
      this.#deps.log.error(fields, 'a message could not be admitted');
    }
  }

  /** A slot is free, perhaps. */
  settle(sequence: number, directive: string, outcome: Settlement): void {
    // One that left is in the working set again when it came back and was admitted before this was heard: then the
    // slot it has is a new one.
    if (outcome === 'released' || !this.#deps.datastore.messages.get(sequence)) this.#slots.vacate(sequence);
    const lane = this.#lane(directive);
    if (outcome !== 'released') lane.settled += 1;
    if (outcome === 'back') restart(lane);
    this.fill(directive);
    this.#fillStarved();
    this.#tidy(lane);
  }

  /** As many as there is room for, in the order in which they found none. */
  #fillStarved(): void {
    for (const directive of [...this.#starved]) {
      if (this.#slots.free === 0) return;
      this.#starved.delete(directive);
      this.fill(directive);
    }
  }

  /** Admits what waits, oldest first, as far as there are slots. */
  fill(directive: string): void {
    const { datastore, onOrphaned } = this.#deps;
    if (this.#closed) return;
    const worker = datastore.workers.get(directive);
    if (!worker) {
      onOrphaned(directive);
      return;
    }
    const lane = this.#lane(directive);
    if (lane.cancels) this.#fillCancels(lane);
    for (;;) {
      const row = this.#next(lane);
      if (!row) break;
      if (lane.slots >= worker.slots) return;
      if (!this.#slots.hasRoom(lane, worker.slots, row.size)) {
        this.#starved.add(directive);
        return;
      }
      lane.ahead.shift();
      this.#slots.occupy(lane, row.sequence, row.size);
      this.#enter(row);
    }
    this.#deps.onRoom(directive);
  }

  /** A request was put into the inbox by somebody else; it may be a cancel that is tried again. */
  onAdded(directive: string): void {
    this.#lane(directive).cancels = true;
    this.fill(directive);
  }

  /** A request that is not in the working set is about to be given up, or was never taken. */
  drop(sequence: number, directive: string): void {
    const lane = this.#lanes.get(directive);
    if (lane) lane.ahead = lane.ahead.filter((row) => row.sequence !== sequence);
    if (this.#slots.holds(sequence)) this.settle(sequence, directive, 'dead');
  }

  /** A worker registered: whatever came back from the one before it is looked at again. */
  onRegister(directive: string): void {
    restart(this.#lane(directive));
    this.fill(directive);
  }

  /** What was read ahead for the worker may be given up before the next one comes. */
  onUnregister(directive: string): void {
    const lane = this.#lane(directive);
    restart(lane);
    this.#tidy(lane);
  }

  /** The oldest that waits and is known to be on disk; it stays the next until it is taken out of `ahead`. */
  #next(lane: Lane): RequestRow | undefined {
    const { inbox } = this.#deps;
    while (lane.ahead.length === 0) {
      if (inbox.waitingCount(lane.directive) === 0) return undefined;
      const rows = inbox.waiting(lane.directive, page, lane.after);
      const last = rows.at(-1);
      if (!last) return undefined;
      lane.after = last.sequence;
      lane.ahead = rows.filter((row) => !this.#isInWork(row));
    }
    const [row] = lane.ahead;
    return row && !lane.uncommitted.has(row.sequence) ? row : undefined;
  }

  #lane(directive: string): Lane {
    let lane = this.#lanes.get(directive);
    if (!lane) {
      lane = newLane(directive);
      this.#lanes.set(directive, lane);
    }
    return lane;
  }

  /** Directives come from outside: what holds nothing and has no worker is forgotten. */
  #tidy(lane: Lane): void {
    const { directive, slots, uncommitted } = lane;
    if (slots === 0 && uncommitted.size === 0 && !this.#deps.datastore.workers.get(directive)) {
      this.#lanes.delete(directive);
    }
  }

  /** In the working set, or so lately out of it that its slot was not freed yet. */
  #isInWork({ sequence }: RequestRow): boolean {
    return this.#slots.holds(sequence) || this.#deps.datastore.messages.get(sequence) !== undefined;
  }

  #enter({ sequence, messageId, directive, cancel, size, state }: RequestRow): void {
    const { datastore, onAdmitted } = this.#deps;
    datastore.messages.add({ sequence, messageId, directive, cancel, size, state, slot: !cancel });
    onAdmitted(sequence, directive, cancel);
  }

  #enterOffered(sequence: number, { messageId, directive, content }: NewRequest): void {
    const { inbox, datastore, onAdmitted } = this.#deps;
    // Cancelled while it was written.
    if (!this.#slots.holds(sequence)) return;
    const worker = datastore.workers.get(directive);
    if (!worker || worker.detached || this.#closed) {
      // The worker went, or another one came, while it was written.
      inbox.back(sequence);
      this.settle(sequence, directive, 'back');
      return;
    }
    const facts = { sequence, messageId, directive, cancel: false, size: content.length } as const;
    datastore.messages.add({ ...facts, state: 'offered', slot: true });
    onAdmitted(sequence, directive, false);
  }

  #fillCancels(lane: Lane): void {
    const rows = this.#deps.inbox.cancels(lane.directive, 2 * maxCancels);
    const waiting = rows.filter((row) => !this.#isInWork(row));
    const places = Math.max(0, maxCancels - (rows.length - waiting.length));
    const admitted = waiting.slice(0, places).filter(({ sequence }) => !lane.uncommitted.has(sequence));
    for (const row of admitted) this.#enter(row);
    lane.cancels = admitted.length < waiting.length;
  }

  #onCancelWaiting(lane: Lane): void {
    const { inbox, counters, log } = this.#deps;
    const { directive } = lane;
    lane.cancels = true;
    this.fill(directive);
    const waiting = inbox.cancels(directive, 3 * maxCancels).filter((row) => !this.#isInWork(row));
    for (const { sequence, messageId } of waiting.slice(0, Math.max(0, waiting.length - maxCancels))) {
      inbox.bury(sequence, 'inbox-full', `More than ${maxCancels} cancels waited for ${directive}.`);
      counters.count('cancels_dropped');
      log.warn({ message_id: messageId, directive }, 'too many cancels wait; the oldest was dropped');
    }
  }
}
