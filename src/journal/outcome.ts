/**
 * The two promises that all writes of one transaction share. Nobody has to listen to a refusal.
 */
import type { YggError } from '../base/errors.ts';
import type { Receipt } from './journal.ts';
import type { Written } from './store.ts';

export class Outcome implements Written {
  readonly committed: Promise<void>;
  readonly flushed: Promise<void>;
  #commit: () => void = () => {};
  #flush: () => void = () => {};
  #refuse: Array<(error: YggError) => void> = [];

  /** One that was refused before it began. */
  static refused(error: YggError): Outcome {
    const outcome = new Outcome();
    outcome.refuse(error);
    return outcome;
  }

  constructor() {
    this.committed = new Promise((resolve, reject) => {
      this.#commit = resolve;
      this.#refuse.push(reject);
    });
    this.flushed = new Promise((resolve, reject) => {
      this.#flush = resolve;
      this.#refuse.push(reject);
    });
    this.committed.catch(() => {});
    this.flushed.catch(() => {});
  }

  commit(): void {
    this.#commit();
  }

  flush(): void {
    this.#flush();
  }

  refuse(error: YggError): void {
    for (const refuse of this.#refuse) refuse(error);
  }
}

/** What a write of the rules answers: the sequence it was about, and when it survives. */
export function receiptOf(sequence: number, { committed, flushed }: Written): Receipt {
  return { sequence, committed, flushed };
}
