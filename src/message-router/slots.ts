/**
 * Who holds a slot, and how much of the window all of them take.
 *
 * A directive has its own limit and its share of the window; one that holds nothing may always have one slot.
 */

/** What is counted for one directive. */
export interface SlotLane {
  slots: number;
}

export interface SlotWindow {
  readonly messages: number;
  readonly bytes: number;
}

export class Slots {
  readonly #window: SlotWindow;
  /** A settlement that comes twice frees a slot once. */
  readonly #holders = new Map<number, { readonly lane: SlotLane; readonly size: number }>();
  #bytes = 0;

  /** `window`: over all directives. */
  constructor(window: SlotWindow) {
    this.#window = window;
  }

  /** Over all directives. */
  get taken(): number {
    return this.#holders.size;
  }

  /** How many more there may be over all directives, besides one for each that has none. */
  get free(): number {
    const { messages, bytes } = this.#window;
    return this.#bytes < bytes ? Math.max(0, messages - this.#holders.size) : 0;
  }

  holds(sequence: number): boolean {
    return this.#holders.has(sequence);
  }

  /** Whether a lane that may have `most` slots gets one more, for a message of this size. */
  hasRoom(lane: SlotLane, most: number, size: number): boolean {
    if (lane.slots === 0) return true;
    const { messages, bytes } = this.#window;
    return lane.slots < most && this.#holders.size < messages && this.#bytes + size <= bytes;
  }

  occupy(lane: SlotLane, sequence: number, size: number): void {
    this.#holders.set(sequence, { lane, size });
    lane.slots += 1;
    this.#bytes += size;
  }

  vacate(sequence: number): void {
    const holder = this.#holders.get(sequence);
    if (!holder) return;
    this.#holders.delete(sequence);
    holder.lane.slots -= 1;
    this.#bytes -= holder.size;
  }
}
