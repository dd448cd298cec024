import { expect, test } from 'vitest';
import { codeBlocks, runProgram } from './code-blocks.ts';

const [prepare = '', stop = '', wire = '', close = '', ...more] = codeBlocks('docs/library.md', 'js');

test('the standard daemon runs as the page shows it', async () => {
  expect(await runProgram(prepare + stop)).toBe('online at 127.0.0.1\n');
});

test('the parts run wired by hand, with one of our own', async () => {
  // A message for each of the three that the page's own part waits for would need a worker; the signal does as well.
  const accepted = `for (let n = 0; n < 3; n += 1) await signals.emit('data-dispatch', { directive: 'echo' });
    await new Promise((resolve) => setImmediate(resolve));\n`;
  expect(await runProgram(wire + accepted + close)).toBe('echo has accepted three\n');
});

test('every block of the page is run', () => {
  expect(more).toEqual([]);
});
