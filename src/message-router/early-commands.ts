/**
 * Commands that a resumed session brings before its connection is reported: what they answer could not be published yet.
 */

/** An honest broker has few for one host. */
const most = 64;

export class EarlyCommands {
  readonly #isConnecting: () => boolean;
  readonly #waiting: Array<() => void> = [];

  constructor(isConnecting: () => boolean) {
    this.#isConnecting = isConnecting;
  }

  /** Calls back at once, or when the attempt at a connection has ended; the oldest of too many do not wait any longer. */
  whenUp(act: () => void): void {
    if (!this.#isConnecting()) {
      act();
      return;
    }
    this.#waiting.push(act);
    if (this.#waiting.length > most) this.#waiting.shift()?.();
  }

  /** The attempt has ended, well or not. */
  release(): void {
    for (const act of this.#waiting.splice(0)) act();
  }
}
