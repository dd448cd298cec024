/**
 * Lets a few workers start at a time, so that many of them do not take the processor from each other and all become
 * slow.
 */
export class StartGate {
  readonly #waiting: Array<() => void> = [];
  #free: number;

  constructor(width: number) {
    this.#free = width;
  }

  /** Resolves with the function that makes room for the next one, when it is this one's turn. */
  async enter(): Promise<() => void> {
    if (this.#free > 0) this.#free -= 1;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    let inside = true;
    return () => {
      if (!inside) return;
      inside = false;
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free += 1;
    };
  }
}
