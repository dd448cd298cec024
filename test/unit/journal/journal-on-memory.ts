/** A journal whose disk obeys and whose clock stands still; for the tests of its rules. */

import { createJournal } from '../../../src/journal/create-journal.ts';
import type {
  DeadLetter,
  Journal,
  JournalLimits,
  NewRequest,
  NewResponse,
} from '../../../src/journal/journal.ts';
import { type Disk, MemoryStore } from '../../../src/journal/memory-store.ts';
import { HandClock } from '../../helpers/hand-clock.ts';

export const day: number = 24 * 3_600_000;

export const roomyLimits: JournalLimits = {
  inbox: { messages: 1_000, bytes: 1_000_000 },
  outbox: { messages: 1_000, bytes: 1_000_000 },
  reports: 100,
  done: { messages: 1_000, age: 7 * day },
  dead: { messages: 100, age: 30 * day },
};

export interface Opened {
  readonly journal: Journal;
  readonly store: MemoryStore;
  readonly clock: HandClock;
  readonly removedFiles: string[];
  readonly damaged: string[];
  readonly overflowed: DeadLetter[];
  readonly troubles: Array<string | undefined>;
  readonly closings: boolean[];
  readonly isReferred: (contentFile: string) => boolean;
  /** Everything written so far is on the disk. */
  settle(): Promise<void>;
  /** A second journal on what the disk has: as after a crash. */
  restart(limits?: Partial<JournalLimits>): Opened;
}

export interface Setting {
  readonly limits?: Partial<JournalLimits>;
  readonly reportFailures?: boolean;
  readonly disk?: Disk;
  readonly clock?: HandClock;
}

export function openOnMemory(setting: Setting = {}): Opened {
  const { reportFailures = true, clock = new HandClock() } = setting;
  const limits = { ...roomyLimits, ...setting.limits };
  const store = new MemoryStore(setting.disk);
  const removedFiles: string[] = [];
  const damaged: string[] = [];
  const overflowed: DeadLetter[] = [];
  const troubles: Array<string | undefined> = [];
  const closings: boolean[] = [];
  let ids = 0;
  const { journal, isReferred } = createJournal({
    store,
    limits,
    reportFailures,
    clock,
    uuid: () => `report-${++ids}`,
    idSeed: 1,
    defer: setImmediate,
    contentDirectory: '/content',
    cleanStart: true,
    removeFile: (file) => removedFiles.push(file),
    onTrouble: (trouble) => troubles.push(trouble),
    onDamaged: (table) => damaged.push(table),
    onOverflow: (letter) => overflowed.push(letter),
    onClosing: (flushed) => closings.push(flushed),
  });
  return {
    journal,
    store,
    clock,
    removedFiles,
    damaged,
    overflowed,
    troubles,
    closings,
    isReferred,
    settle: () => journal.flush(AbortSignal.timeout(5_000)),
    restart: (changed) =>
      openOnMemory({ ...setting, limits: { ...limits, ...changed }, disk: store.disk, clock }),
  };
}

let requests = 0;

export function request(given: Partial<NewRequest> = {}): NewRequest {
  requests += 1;
  return {
    messageId: `id-${requests}`,
    responseTo: '',
    directive: 'echo',
    metadata: { key: 'value' },
    content: Buffer.from('"hello"'),
    cancel: false,
    origin: 'broker',
    ...given,
  };
}

export function response(given: Partial<NewResponse> = {}): NewResponse {
  requests += 1;
  return {
    messageId: `response-${requests}`,
    responseTo: 'id-0',
    directive: 'echo',
    metadata: null,
    content: Buffer.from('"bye"'),
    handler: 'echo',
    ...given,
  };
}

/** So many requests come, are handed over and are done, some hundred in each transaction; returns their ids. */
export async function pass({ journal: { inbox }, settle }: Opened, count: number): Promise<string[]> {
  const ids: string[] = [];
  for (let number = 1; number <= count; number++) {
    const sent = request();
    inbox.finish(inbox.receive(sent, { redelivery: 'until-done' }).sequence);
    ids.push(sent.messageId);
    if (number % 200 === 0) await settle();
  }
  await settle();
  return ids;
}
