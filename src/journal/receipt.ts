/** What a write of the rules answers: the sequence it was about, and when it survives. */
import type { Receipt } from './journal.ts';
import type { Written } from './store.ts';

export function receiptOf(sequence: number, { committed, flushed }: Written): Receipt {
  return { sequence, committed, flushed };
}
