import { spawn } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';
import { describe, expect, test, vi } from 'vitest';
import { claimDirectory, ownerOf } from '../../../src/host/owner.ts';
import { bundle } from '../../helpers/bundle.ts';
import { Child } from '../../helpers/child.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { fileScope, testScope } from '../../helpers/test-scope.ts';

const shared = fileScope();

/** Runs between the look at a directory and the attempt to own it. */
const beforeLink = vi.hoisted(() => vi.fn());

vi.mock('node:fs', async (importActual) => {
  const fs = await importActual<typeof import('node:fs')>();
  const linkSync: typeof fs.linkSync = (existing, created) => {
    beforeLink();
    fs.linkSync(existing, created);
  };
  return { ...fs, linkSync };
});

/** A process table in a folder: which processes there are, and when each was started. */
function processTable(
  folder: string,
  boot: string,
  processes: Record<number, { start: string; state?: string }>,
): string {
  mkdirSync(path.join(folder, 'sys/kernel/random'), { recursive: true });
  writeFileSync(path.join(folder, 'sys/kernel/random/boot_id'), `${boot}\n`);
  for (const [pid, { start, state = 'S' }] of Object.entries(processes)) {
    mkdirSync(path.join(folder, pid), { recursive: true });
    const between = Array.from({ length: 18 }, (_, index) => String(index)).join(' ');
    writeFileSync(path.join(folder, pid, 'stat'), `${pid} (a (b) c) ${state} ${between} ${start} 7 8\n`);
  }
  return folder;
}

function records(directory: string): string[] {
  return readdirSync(directory).sort();
}

describe('an owner that lives', () => {
  test('keeps others out, who are told its process id', () => {
    const directory = tempDir(testScope());
    const claim = claimDirectory(directory);
    expect(() => claimDirectory(directory)).toThrow(
      expect.objectContaining({
        code: 'YGG_ALREADY_RUNNING',
        message: expect.stringContaining(`process ${process.pid}`),
      }),
    );
    claim.release();
    claimDirectory(directory).release();
  });

  test('keeps others out while it is stopped by a signal', async () => {
    const scope = testScope();
    const directory = tempDir(scope);
    const sleeper = new Child(scope, 'sleep', ['1000']);
    claimDirectory(directory, { pid: sleeper.pid });
    sleeper.kill('SIGSTOP');
    expect(() => claimDirectory(directory)).toThrow(`process ${sleeper.pid}`);
    sleeper.kill('SIGKILL');
    await sleeper.ended();
    claimDirectory(directory).release();
  });

  test('has a record for its eyes only, whatever the umask', () => {
    const directory = tempDir(testScope());
    const before = process.umask(0o777);
    try {
      claimDirectory(directory);
    } finally {
      process.umask(before);
    }
    expect(records(directory)).toEqual(['owner.1']);
    expect(statSync(path.join(directory, 'owner.1')).mode & 0o777).toBe(0o600);
  });
});

describe('an owner that is gone', () => {
  const boot = 'aaaa';

  test.each([
    ['has ended', 'aaaa', {}],
    ['is another process with the same id', 'aaaa', { 100: { start: '5001' } }],
    ['ran before the last boot', 'bbbb', { 100: { start: '5000' } }],
    ['is a zombie', 'aaaa', { 100: { start: '5000', state: 'Z' } }],
  ])('is succeeded when it %s', (_, bootNow, others) => {
    const scope = testScope();
    const directory = tempDir(scope);
    const before = processTable(tempDir(scope), boot, { 100: { start: '5000' } });
    const after = processTable(tempDir(scope), bootNow, { ...others, 200: { start: '9000' } });
    claimDirectory(directory, { pid: 100, processTable: before });
    claimDirectory(directory, { pid: 200, processTable: after });
    expect(records(directory)).toEqual(['owner.2']);
    expect(() => claimDirectory(directory, { pid: 300, processTable: after })).toThrow('process 200');
  });

  test('is not taken for gone because its name has spaces and parentheses', () => {
    const scope = testScope();
    const directory = tempDir(scope);
    const table = processTable(tempDir(scope), boot, { 100: { start: '5000' } });
    claimDirectory(directory, { pid: 100, processTable: table });
    expect(() => claimDirectory(directory, { pid: 100, processTable: table })).toThrow('process 100');
  });

  test('leaves drafts behind, which are removed once they are old', () => {
    const directory = tempDir(testScope());
    const old = path.join(directory, 'owner.draft-old');
    const young = path.join(directory, 'owner.draft-young');
    writeFileSync(old, '');
    writeFileSync(young, '');
    utimesSync(old, 0, 0);
    claimDirectory(directory);
    expect(existsSync(old)).toBe(false);
    expect(existsSync(young)).toBe(true);
  });

  test('may leave a record that is cut off', () => {
    const directory = tempDir(testScope());
    writeFileSync(path.join(directory, 'owner.4'), '{"pid":1');
    claimDirectory(directory);
    expect(records(directory)).toEqual(['owner.5']);
    expect(JSON.parse(readFileSync(path.join(directory, 'owner.5'), 'utf8'))).toMatchObject({
      pid: process.pid,
    });
  });
});

test('a starter that looked long ago does not push out who came after', () => {
  const directory = tempDir(testScope());
  claimDirectory(directory).release();
  // The slow one has seen that owner.1 let go. Before it links, one comes and goes, and another comes to stay.
  beforeLink.mockImplementationOnce(() => {
    claimDirectory(directory).release();
    claimDirectory(directory);
    expect(records(directory)).toContain('owner.3');
    expect(records(directory)).not.toContain('owner.2');
  });
  expect(() => claimDirectory(directory)).toThrow(`process ${process.pid}`);
  expect(records(directory)).toEqual(['owner.3']);
});

test('of eight that start at once exactly one wins, each time', async () => {
  const scope = testScope();
  const program = await bundle(shared, 'test/fixtures/claim.ts');
  for (let round = 0; round < 2; round++) {
    const directory = tempDir(scope);
    // Somebody dead owned it before, so that all of them take over.
    writeFileSync(
      path.join(directory, 'owner.1'),
      JSON.stringify({ pid: 1, start: '', boot: '', released: false }),
    );
    const starters = Array.from({ length: 8 }, () => spawnClaim(program, directory));
    const outcomes = await Promise.all(starters);
    expect(outcomes.filter((outcome) => outcome === 'won')).toHaveLength(1);
    expect(outcomes.filter((outcome) => outcome === 'YGG_ALREADY_RUNNING')).toHaveLength(7);
  }
}, 60_000);

/** Claims in a process that keeps the claim until it is told to end; resolves with its first line. */
function spawnClaim(program: string, directory: string): Promise<string> {
  const child = spawn(process.execPath, [program, directory], { stdio: ['pipe', 'pipe', 'inherit'] });
  shared.defer(() => {
    child.kill('SIGKILL');
  });
  return new Promise((resolve) =>
    child.stdout.once('data', (line: Buffer) => resolve(line.toString().trim())),
  );
}

test('who owns a directory can be asked, and nobody does once it is let go', () => {
  const directory = tempDir(testScope());
  expect(ownerOf(directory)).toBeUndefined();
  const claim = claimDirectory(directory);
  expect(ownerOf(directory)).toBe(process.pid);
  claim.release();
  expect(ownerOf(directory)).toBeUndefined();
});

test('a process that is gone owns nothing, whoever has its id now', () => {
  const directory = tempDir(testScope());
  const table = processTable(tempDir(testScope()), 'boot', { 7: { start: '100' } });
  claimDirectory(directory, { pid: 7, processTable: table });
  expect(ownerOf(directory, table)).toBe(7);
  processTable(table, 'boot', { 7: { start: '200' } });
  expect(ownerOf(directory, table)).toBeUndefined();
});
