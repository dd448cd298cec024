/** The file in which the Node fixture writes down what happens to it, over all its incarnations. */
import { closeSync, openSync, readSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Scope } from './scope.ts';
import { tempDir } from './temp-dir.ts';
import { waitFor } from './wait-for.ts';

export type LedgerEvent =
  | 'start'
  | 'register'
  | 'register-again'
  | 'message'
  | 'sent'
  | 'send-failed'
  | 'fault'
  | 'twice'
  | 'refused'
  | 'printed'
  | 'end';

export interface LedgerEntry {
  readonly event: LedgerEvent;
  readonly pid: number;
  /** Milliseconds since the epoch. */
  readonly at: number;
  readonly [field: string]: unknown;
}

export interface Ledger {
  /** What the fixture's `ledger` option takes. */
  readonly file: string;
  entries(): readonly LedgerEntry[];
  events(event: LedgerEvent): readonly LedgerEntry[];
  /** Ids of the messages it was handed, in order, repetitions included. */
  messageIds(): readonly string[];
  /** Pids of its incarnations, in order. */
  pids(): readonly number[];
  /** Waits for so many of an event. */
  reaches(event: LedgerEvent, count: number, deadline?: number): Promise<readonly LedgerEntry[]>;
}

export function ledger(scope: Scope): Ledger {
  const file = path.join(tempDir(scope, 'ledger-'), 'ledger');
  writeFileSync(file, '');
  /** Those read so far; it only grows, and is read often. */
  const known: LedgerEntry[] = [];
  let rest = '';
  let place = 0;
  const entries = (): readonly LedgerEntry[] => {
    const bytes = readFrom(file, place);
    place += bytes.length;
    const lines = `${rest}${bytes.toString('latin1')}`.split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) known.push(JSON.parse(Buffer.from(line, 'latin1').toString()));
    return known;
  };
  const events = (event: LedgerEvent): LedgerEntry[] => entries().filter((entry) => entry.event === event);
  return {
    file,
    entries,
    events,
    messageIds: () => events('message').map((entry) => String(entry['message_id'])),
    pids: () => events('start').map(({ pid }) => pid),
    reaches: (event, count, deadline = 10_000) =>
      waitFor(() => (events(event).length >= count ? events(event) : undefined), {
        what: `${count} times ${event} in the ledger`,
        deadline,
        detail: () => JSON.stringify(entries().slice(-10)),
      }),
  };
}

function readFrom(file: string, place: number): Buffer {
  const descriptor = openSync(file, 'r');
  try {
    const pieces: Buffer[] = [];
    for (let at = place; ; ) {
      const piece = Buffer.alloc(64 * 1024);
      const count = readSync(descriptor, piece, 0, piece.length, at);
      if (count === 0) return Buffer.concat(pieces);
      pieces.push(piece.subarray(0, count));
      at += count;
    }
  } finally {
    closeSync(descriptor);
  }
}
