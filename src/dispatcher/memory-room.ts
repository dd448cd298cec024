/**
 * Memory for contents that are being put together, over all workers: first come, first served. One always has its
 * place, however large it is.
 */

/** A place that was asked for. */
export interface MemoryPlace {
  /** It is not needed, or not wanted, any longer. */
  release(): void;
}

interface Asked extends MemoryPlace {
  readonly bytes: number;
  readonly onRoom: () => void;
}

export class MemoryRoom {
  readonly #bytes: number;
  readonly #taken = new Set<Asked>();
  #takenBytes = 0;
  /** In order; a place that is released is taken out. */
  readonly #waiting = new Set<Asked>();

  constructor(bytes: number) {
    this.#bytes = bytes;
  }

  /** Asks for a place; `onRoom` is called when it is there, perhaps before this returns. */
  ask(bytes: number, onRoom: () => void): MemoryPlace {
    const asked: Asked = { bytes, onRoom, release: () => this.#release(asked) };
    this.#waiting.add(asked);
    this.#fill();
    return asked;
  }

  #release(asked: Asked): void {
    this.#waiting.delete(asked);
    if (this.#taken.delete(asked)) this.#takenBytes -= asked.bytes;
    this.#fill();
  }

  #fill(): void {
    for (const next of this.#waiting) {
      if (this.#taken.size > 0 && this.#takenBytes + next.bytes > this.#bytes) return;
      this.#waiting.delete(next);
      this.#taken.add(next);
      this.#takenBytes += next.bytes;
      next.onRoom();
    }
  }
}
