/** What is relied on in Node's standard error: it never blocks on a pipe, and its failures are events. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';
import type { Readable } from 'node:stream';
import { expect, test } from 'vitest';

/** Writes far more than a pipe holds, then says on standard output that it still lives. */
const flood = `
  process.stderr.on('error', (error) => process.stdout.write(error.code + ' '));
  for (let i = 0; i < 500; i += 1) process.stderr.write('x'.repeat(1000) + '\\n');
  const waiting = process.stderr.writableLength > 0;
  setTimeout(() => { process.stdout.write(waiting ? 'waiting' : 'written'); process.exit(0); }, 100);
`;

async function said(stderr: 'pipe' | number, meddle: (stderr: Readable) => void = () => {}): Promise<string> {
  const child = spawn(process.execPath, ['-e', flood], { stdio: ['ignore', 'pipe', stderr] });
  if (child.stderr) meddle(child.stderr);
  let out = '';
  child.stdout?.on('data', (chunk) => {
    out += String(chunk);
  });
  await once(child, 'close');
  return out;
}

test('a pipe nobody reads does not block, what is written waits', async () => {
  expect(await said('pipe', (stderr) => stderr.pause())).toBe('waiting');
});

test('a pipe whose reader is gone is an EPIPE event', async () => {
  expect(await said('pipe', (stderr) => stderr.destroy())).toMatch(/^EPIPE /);
});

test('a full disk is an ENOSPC event', async () => {
  const full = openSync('/dev/full', 'w');
  expect(await said(full)).toMatch(/^ENOSPC /);
  closeSync(full);
});
