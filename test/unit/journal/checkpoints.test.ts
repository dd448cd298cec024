import { randomBytes } from 'node:crypto';
import { expect, test } from 'vitest';
import { Checkpoints, readCheckpoint } from '../../../src/journal/checkpoints.ts';
import type { LogFile } from '../../../src/journal/log-file.ts';
import { markSize } from '../../../src/journal/log-record.ts';
import { LogSegment } from '../../../src/journal/log-segment.ts';
import { MemoryStore } from '../../../src/journal/memory-store.ts';
import { RecentWrites } from '../../../src/journal/recent-writes.ts';
import { HandClock } from '../../helpers/hand-clock.ts';

const file: LogFile = {
  read: () => Buffer.alloc(0),
  write: () => Promise.resolve(),
  flush: () => Promise.resolve(),
  empty: () => {},
  close: () => Promise.resolve(),
};

const recent = new RecentWrites(0);

function segment(number: number): LogSegment {
  const mark = randomBytes(markSize);
  return new LogSegment({ number, mark, file, recent, predecessor: 0, onBroken: () => {} });
}

test('a segment that comes in the moment in which the last one is done does not wait for another one', async () => {
  for (let moment = 0; moment < 20; moment++) {
    const tables = new MemoryStore();
    const checkpoints = new Checkpoints({
      tables,
      found: undefined,
      clock: new HandClock(),
      recent,
      step: 8,
      isDue: () => true,
      latest: () => undefined,
      onDone: () => {},
    });
    tables.heldFlushes = true;
    checkpoints.add(segment(1));
    await new Promise(setImmediate);
    tables.release();
    for (let step = 0; step < moment; step++) await Promise.resolve();
    checkpoints.add(segment(2));
    for (let turn = 0; turn < 3; turn++) await new Promise(setImmediate);
    expect(readCheckpoint(tables)?.segment, `${moment}`).toBe(2);
  }
});
