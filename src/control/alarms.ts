/**
 * What an operator has to know of, kept for whoever asks later: backlog that was set aside, a disk that takes nothing.
 */
import type { Alarm } from '../control-api.ts';

/** How many are kept; the oldest go. */
const most = 16;

export class Alarms {
  readonly #now: () => number;
  readonly #alarms: Alarm[] = [];

  /** @param now milliseconds since the epoch */
  constructor(now: () => number) {
    this.#now = now;
  }

  /** The latest last. */
  get all(): readonly Alarm[] {
    return [...this.#alarms];
  }

  raise(sentence: string): void {
    this.#alarms.push({ at: this.#now(), sentence });
    if (this.#alarms.length > most) this.#alarms.shift();
  }
}
