/** Sequences in the order in which they were added, each once. */
export class SequenceQueue {
  readonly #waiting = new Set<number>();
  /** Kept from one to the next: a new iterator passes by the place of everything that was taken before. */
  #oldest = this.#waiting.values();

  get size(): number {
    return this.#waiting.size;
  }

  add(sequence: number): void {
    this.#waiting.add(sequence);
  }

  take(): number | undefined {
    let next = this.#oldest.next();
    if (next.done === true) {
      // An iterator that has come to the end stays there.
      this.#oldest = this.#waiting.values();
      next = this.#oldest.next();
    }
    if (next.done === true) return undefined;
    this.#waiting.delete(next.value);
    return next.value;
  }
}
