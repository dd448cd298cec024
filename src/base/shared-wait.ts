/**
 * Things that wait for one promise together: everything written to the journal in one turn of the event loop has the
 * same one, and a reaction of its own for each would cost more than what it does.
 */

interface Company<Thing> {
  readonly promise: Promise<void>;
  readonly things: Thing[];
}

export class SharedWait<Thing> {
  readonly #onOver: (things: readonly Thing[], error: unknown) => void;
  #last: Company<Thing> | undefined;
  readonly #open = new Set<Promise<void>>();

  /** `onOver` gets those of one promise in their order; `error` is `undefined` when it was kept. Must not throw. */
  constructor(onOver: (things: readonly Thing[], error: unknown) => void) {
    this.#onOver = onOver;
  }

  add(promise: Promise<void>, thing: Thing): void {
    if (this.#last?.promise === promise) {
      this.#last.things.push(thing);
      return;
    }
    const things = [thing];
    const end = (error: unknown): void => {
      if (this.#last?.things === things) this.#last = undefined;
      this.#open.delete(over);
      this.#onOver(things, error);
    };
    const over = promise.then(() => end(undefined), end);
    this.#open.add(over);
    this.#last = { promise, things };
  }

  /** Resolves when nothing waits that waits now. */
  async settled(): Promise<void> {
    await Promise.all(this.#open);
  }
}
