import {
  chmodSync,
  cpSync,
  existsSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test, vi } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import type { Journal, ResponseRow } from '../../../src/journal/journal.ts';
import { journalVersion } from '../../../src/journal/journal-directory.ts';
import {
  type OpenJournalDeps,
  openJournal,
  type ProbeOutcome,
  type RunProbe,
} from '../../../src/journal/open.ts';
import { bundle } from '../../helpers/bundle.ts';
import { Child } from '../../helpers/child.ts';
import type { Scope } from '../../helpers/scope.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { fileScope, testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { request, response, roomyLimits } from './journal-on-memory.ts';

/** Whether small files and copies can be written, and what directories had in them when they were flushed. */
const disk = vi.hoisted((): { isFull: boolean; flushed: Map<string, readonly string[]> } => ({
  isFull: false,
  flushed: new Map(),
}));

function requireRoom(): void {
  if (disk.isFull) throw Object.assign(new Error('no space left on device'), { code: 'ENOSPC' });
}

vi.mock('../../../src/base/durable-file.ts', async (importActual) => {
  const actual = await importActual<typeof import('../../../src/base/durable-file.ts')>();
  const writeDurably: typeof actual.writeDurably = (...words) => {
    requireRoom();
    actual.writeDurably(...words);
  };
  const flushDirectory: typeof actual.flushDirectory = (directory) => {
    actual.flushDirectory(directory);
    disk.flushed.set(directory, readdirSync(directory));
  };
  return { ...actual, writeDurably, flushDirectory };
});

vi.mock('../../../src/journal/journal-directory.ts', async (importActual) => {
  const actual = await importActual<typeof import('../../../src/journal/journal-directory.ts')>();
  const keepDamaged: typeof actual.keepDamaged = (...words) => {
    requireRoom();
    return actual.keepDamaged(...words);
  };
  return { ...actual, keepDamaged };
});

beforeEach(() => {
  disk.isFull = false;
});

const shared = fileScope();
const programs = { probe: '', writer: '' };

async function program(name: 'probe' | 'writer'): Promise<string> {
  const source = { probe: 'src/journal/probe.ts', writer: 'test/fixtures/journal-writer.ts' }[name];
  programs[name] ||= await bundle(shared, source);
  return programs[name];
}

const fine: ProbeOutcome = { exitCode: 0, signal: null, timedOut: false };

interface Opening {
  readonly journal: Journal;
  readonly alarms: string[];
  readonly probes: number;
}

async function open(
  scope: Scope,
  directory: string,
  changed: Partial<OpenJournalDeps> = {},
): Promise<Opening> {
  const alarms: string[] = [];
  let probes = 0;
  const runProbe = changed.runProbe ?? (() => Promise.resolve(fine));
  const journal = await openJournal({
    directory,
    limits: { ...roomyLimits, inbox: { messages: 1e6, bytes: 1e9 }, outbox: { messages: 1e6, bytes: 1e9 } },
    reportFailures: true,
    clock: systemClock,
    log: silentLogger,
    count: () => {},
    onAlarm: (sentence) => alarms.push(sentence),
    ...changed,
    runProbe: (...words) => {
      probes += 1;
      return runProbe(...words);
    },
  });
  scope.defer(() => journal.close());
  return { journal, alarms, probes };
}

/** Runs the real probe in a process of its own. */
function realProbe(scope: Scope): RunProbe {
  return async (_file, words, deadline) => {
    const child = new Child(scope, process.execPath, [await program('probe'), ...words]);
    const { code, signal } = await child.ended(deadline);
    return { exitCode: code, signal, timedOut: false };
  };
}

function asideOf(directory: string): string[] {
  const name = `${path.basename(directory)}.`;
  return readdirSync(path.dirname(directory)).filter((file) => file.startsWith(name));
}

function newDirectory(scope: Scope): string {
  return path.join(tempDir(scope), 'journal');
}

describe('a clean end', () => {
  test('is remembered, and needs no probe', async () => {
    const scope = testScope();
    const directory = newDirectory(scope);
    const first = await open(scope, directory);
    expect(first).toMatchObject({ probes: 0, alarms: [], journal: { cleanStart: true } });
    const { sequence } = first.journal.inbox.receive(request({ messageId: 'm' }));
    await first.journal.close();
    const second = await open(scope, directory);
    expect(second).toMatchObject({ probes: 0, alarms: [], journal: { cleanStart: true } });
    expect(second.journal.inbox.row(sequence)?.messageId).toBe('m');
    expect(statSync(directory).mode & 0o777).toBe(0o700);
    for (const name of ['data.mdb', 'lock.mdb', 'version']) {
      expect(statSync(path.join(directory, name)).mode & 0o777, name).toBe(0o600);
    }
  });
});

describe('a crash', () => {
  test('loses nothing that was said to be flushed, however often', async () => {
    const scope = testScope();
    const directory = newDirectory(scope);
    const said = { received: new Set<string>(), answered: new Set<string>(), dead: new Set<string>() };
    for (const kill of ['first', 'second', 'third']) {
      const writer = new Child(scope, process.execPath, [await program('writer'), directory, kill]);
      await waitFor(() => writer.lines.length > 1_500 || writer.exit, {
        what: 'writes',
        detail: () => writer.output,
      });
      writer.kill('SIGKILL');
      await writer.ended();
      for (const line of writer.stdout) {
        const [what = '', messageId = ''] = line.split(' ');
        if (what === 'received' || what === 'answered' || what === 'dead') said[what].add(messageId);
        else throw new Error(line);
      }
    }
    expect(said.received.size).toBeGreaterThan(2_000);
    const { journal, alarms, probes } = await open(scope, directory, { runProbe: realProbe(scope) });
    expect({ alarms, probes, cleanStart: journal.cleanStart }).toEqual({
      alarms: [],
      probes: 1,
      cleanStart: false,
    });

    const rows: ResponseRow[] = [];
    for (let page = journal.outbox.responses(0, 100); page.length > 0; ) {
      rows.push(...page);
      page = journal.outbox.responses(page.at(-1)?.sequence ?? 0, 100);
    }
    const answers = new Set(rows.map((row) => row.responseTo));
    for (const messageId of said.received) expect(journal.inbox.find(messageId), messageId).toBeDefined();
    for (const messageId of said.answered) {
      expect(journal.inbox.find(messageId)?.state, messageId).toBe('done');
      expect(answers.has(messageId), messageId).toBe(true);
    }
    for (const messageId of said.dead) expect(journal.inbox.find(messageId)?.state).toBe('dead-offered');
    // Every response that is there has its request finished, and its body: both are one transaction.
    for (const row of rows) {
      expect(journal.inbox.find(row.responseTo)?.state).toBe('done');
      expect(Buffer.from(journal.outbox.body(row.sequence)?.content ?? []).toString()).toBe(row.responseTo);
    }
    // The counts are those of what is there.
    expect(journal.outbox.fill().messages).toBe(rows.length);
    const { length } = journal.inbox.waiting('echo', 1e6);
    expect(journal.inbox.waitingCount('echo')).toBe(length);
    expect(journal.inbox.fill().messages).toBe(length + journal.inbox.unsettled(0, 1e6).length);
  }, 60_000);

  test('leaves every id known, also those that are no Unicode', async () => {
    const scope = testScope();
    const first = newDirectory(scope);
    const { journal } = await open(scope, first);
    const ids = ['id-\ud800', 'id-\ud801', 'id-\ufffd'];
    for (const [index, messageId] of ids.entries()) {
      await journal.inbox.receive(request({ messageId, directive: `d${index}` })).flushed;
    }
    // As it is while a daemon runs.
    const directory = newDirectory(scope);
    cpSync(first, directory, { recursive: true });
    const again = await open(scope, directory);
    expect(ids.map((messageId) => again.journal.inbox.find(messageId)?.directive)).toEqual([
      'd0',
      'd1',
      'd2',
    ]);
  });

  test('leaves content files behind, which are removed when nobody refers to them', async () => {
    const scope = testScope();
    const directory = newDirectory(scope);
    const { journal } = await open(scope, directory);
    const { sequence } = journal.inbox.receive(request());
    journal.inbox.fetched(sequence, 'kept', 4);
    writeFileSync(path.join(journal.contentDirectory, 'kept'), 'kept');
    writeFileSync(path.join(journal.contentDirectory, 'half.part'), 'half');
    await journal.close();
    const again = await open(scope, directory);
    expect(readdirSync(again.journal.contentDirectory)).toEqual(['kept']);
    await again.journal.inbox.finish(sequence).flushed;
    await waitFor(() => readdirSync(journal.contentDirectory).length === 0, { what: 'removal of the file' });
  });
});

test('the names of a new journal and of its files survive a power cut', async () => {
  const directory = newDirectory(testScope());
  await open(testScope(), directory);
  expect(disk.flushed.get(path.dirname(directory))).toEqual(['journal']);
  expect(disk.flushed.get(directory)).toEqual(
    expect.arrayContaining(['data.mdb', 'log.0', 'log.1', 'version']),
  );
});

test('a part of the log that cannot be read is kept beside it, with an alarm, and the rest is there', async () => {
  const scope = testScope();
  const first = newDirectory(scope);
  const { journal } = await open(scope, first);
  for (const messageId of ['one', 'two', 'three'])
    await journal.inbox.receive(request({ messageId })).flushed;
  // As it is while a daemon runs.
  const directory = newDirectory(scope);
  cpSync(first, directory, { recursive: true });
  const file = path.join(directory, 'log.0');
  const bytes = readFileSync(file);
  const at = bytes.indexOf('"two"');
  bytes[at] = 0;
  writeFileSync(file, bytes);
  const another = newDirectory(scope);
  cpSync(directory, another, { recursive: true });
  disk.isFull = true;
  const full = await open(scope, another);
  disk.isFull = false;
  expect(full.alarms).toEqual([expect.stringContaining('could not be copied: no space left')]);
  expect(full.journal.inbox.find('one')?.state).toBe('waiting');
  const second = await open(scope, directory);
  const copies = readdirSync(directory).filter((name) => name.startsWith('log.0.damaged-'));
  expect(copies).toHaveLength(1);
  expect(second.alarms).toEqual([expect.stringContaining(path.join(directory, copies[0] ?? ''))]);
  expect(second.journal.inbox.find('one')?.state).toBe('waiting');
  expect(second.journal.inbox.find('two')).toBeUndefined();
  expect(Buffer.compare(readFileSync(path.join(directory, copies[0] ?? '')), bytes)).toBe(0);
});

describe('on a full disk', () => {
  test('a journal that is there is opened with all that waits in it', async () => {
    const scope = testScope();
    const directory = newDirectory(scope);
    const first = await open(scope, directory);
    await first.journal.inbox.receive(request()).flushed;
    await first.journal.close();
    disk.isFull = true;
    const { journal, alarms } = await open(scope, directory);
    expect({ alarms, aside: asideOf(directory) }).toEqual({ alarms: [], aside: [] });
    expect(journal.inbox.fill().messages).toBe(1);
    disk.isFull = false;
  });

  test('one that needs room to be opened is not, and stays where it is', async () => {
    const scope = testScope();
    const directory = newDirectory(scope);
    const first = await open(scope, directory);
    await first.journal.inbox.receive(request()).flushed;
    await first.journal.close();
    writeFileSync(path.join(directory, 'version'), `${journalVersion - 1}\n`);
    disk.isFull = true;
    await expect(open(scope, directory)).rejects.toMatchObject({ code: 'YGG_JOURNAL_IO' });
    expect(asideOf(directory)).toEqual([]);
    disk.isFull = false;
    const { journal } = await open(scope, directory);
    expect(journal.inbox.fill().messages).toBe(1);
  });
});

describe('a journal that cannot be used is moved aside whole, and a fresh one opened', () => {
  async function written(scope: Scope): Promise<string> {
    const directory = newDirectory(scope);
    const { journal } = await open(scope, directory);
    for (let id = 0; id < 2_000; id++) journal.inbox.receive(request({ content: Buffer.alloc(300, 'x') }));
    journal.outbox.respond(response());
    await journal.flush();
    await journal.close();
    return directory;
  }

  test('when a newer release wrote it', async () => {
    const scope = testScope();
    const directory = await written(scope);
    writeFileSync(path.join(directory, 'version'), `${journalVersion + 1}\n`);
    const { journal, alarms, probes } = await open(scope, directory);
    expect(asideOf(directory)).toEqual([expect.stringMatching(/^journal\.newer-\d{8}T\d{6}Z$/)]);
    expect(alarms).toEqual([expect.stringContaining('newer release')]);
    expect(probes).toBe(0);
    expect(journal.inbox.fill()).toMatchObject({ messages: 0 });
    await journal.inbox.receive(request()).flushed;
    const aside = path.join(path.dirname(directory), asideOf(directory)[0] ?? '');
    expect(existsSync(path.join(aside, 'data.mdb'))).toBe(true);
    expect(readFileSync(path.join(directory, 'version'), 'utf8')).toBe(`${journalVersion}\n`);
  });

  test.each<[string, (file: string, size: number) => void]>([
    ['it was cut off', (file, size) => truncateSync(file, Math.floor(size / 8192) * 4096)],
    [
      'its pages are overwritten',
      (file, size) => {
        const bytes = readFileSync(file);
        for (let page = 3; page * 4096 < size; page++) bytes.fill(0xa5, page * 4096, page * 4096 + 4096);
        writeFileSync(file, bytes);
      },
    ],
    ['it is something else', (file) => writeFileSync(file, Buffer.alloc(100_000, 'not a journal'))],
  ])('when %s, which the probe finds out', async (_, damage) => {
    const scope = testScope();
    const directory = await written(scope);
    const file = path.join(directory, 'data.mdb');
    damage(file, statSync(file).size);
    chmodSync(file, 0o600);
    // The last end was not clean.
    const clean = path.join(directory, 'clean');
    rmSync(clean, { force: true });
    const { journal, alarms, probes } = await open(scope, directory, { runProbe: realProbe(scope) });
    expect(probes).toBe(1);
    expect(asideOf(directory)).toEqual([expect.stringMatching(/^journal\.damaged-/)]);
    expect(alarms).toEqual([expect.stringContaining('damaged')]);
    await journal.inbox.receive(request()).flushed;
    expect(journal.inbox.fill()).toMatchObject({ messages: 1 });
  });

  test('but not because the probe could not be run, or took too long', async () => {
    const scope = testScope();
    const directory = await written(scope);
    for (const outcome of [
      () => Promise.reject(new Error('ENOMEM')),
      () => Promise.resolve({ exitCode: 1, signal: null, timedOut: false }),
      () => Promise.resolve({ exitCode: null, signal: 'SIGKILL', timedOut: true }),
    ]) {
      const clean = path.join(directory, 'clean');
      rmSync(clean, { force: true });
      const { journal, alarms, probes } = await open(scope, directory, { runProbe: outcome });
      expect({ alarms, probes }).toEqual({ alarms: [], probes: 1 });
      expect(journal.inbox.fill().messages).toBe(2_000);
      await journal.close();
    }
    expect(asideOf(directory)).toEqual([]);
  });
});

test('the journal cannot be opened where nothing can be written', async () => {
  const scope = testScope();
  const parent = tempDir(scope);
  writeFileSync(path.join(parent, 'file'), '');
  await expect(open(scope, path.join(parent, 'file', 'journal'))).rejects.toMatchObject({
    code: 'YGG_JOURNAL_IO',
  });
});

test('the probe of a healthy journal reads all of it and says so', async () => {
  const scope = testScope();
  const directory = newDirectory(scope);
  const { journal } = await open(scope, directory);
  await journal.inbox.receive(request({ content: Buffer.alloc(100_000) })).flushed;
  await journal.close();
  const probe = new Child(scope, process.execPath, [await program('probe'), directory]);
  expect(await probe.ended()).toEqual({ code: 0, signal: null });
  expect(probe.output).toBe('');
});

describe('a visitor', () => {
  const visitor = { visitor: true };

  test('finds what is there, and leaves a crash to be found by the daemon', async () => {
    const scope = testScope();
    const directory = newDirectory(scope);
    const daemon = await open(scope, directory);
    const { sequence } = daemon.journal.inbox.refuse(request(), 'too-large', 'Too large.');
    await daemon.journal.close();
    rmSync(path.join(directory, 'clean'));

    const { journal } = await open(scope, directory, visitor);
    await journal.dead.retry(sequence)?.flushed;
    await journal.close();
    const next = await open(scope, directory);
    expect(next.journal.cleanStart).toBe(false);
    expect(next.journal.dead.count).toBe(0);
    await next.journal.close();

    await (await open(scope, directory, visitor)).journal.close();
    expect((await open(scope, directory)).journal.cleanStart).toBe(true);
  });

  test('makes no journal', async () => {
    const directory = newDirectory(testScope());
    await expect(open(testScope(), directory, visitor)).rejects.toMatchObject({ code: 'YGG_NOT_FOUND' });
    expect(existsSync(directory)).toBe(false);
  });

  test('moves no journal aside', async () => {
    const scope = testScope();
    const directory = newDirectory(scope);
    await (await open(scope, directory)).journal.close();
    writeFileSync(path.join(directory, 'version'), '999\n');
    await expect(open(scope, directory, visitor)).rejects.toMatchObject({
      code: 'YGG_JOURNAL_IO',
      message: expect.stringContaining('written by a newer release'),
    });
    expect(asideOf(directory)).toEqual([]);
  });
});
