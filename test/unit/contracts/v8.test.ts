/** What `cmd/heap.ts` relies on in V8. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';

const heap = readFileSync(path.resolve(import.meta.dirname, '../../../cmd/heap.ts'), 'utf8');
const flags = [...heap.matchAll(/setFlagsFromString\('--(?:no-)?([a-z-]+)/g)].map(([, name = '']) => name);

test('every flag that is set is one it knows', () => {
  const known = execFileSync(process.execPath, ['--v8-options'], { encoding: 'utf8' });
  expect(flags).toContain('semi-space-growth-factor');
  for (const flag of flags) expect(known).toContain(`--${flag} `);
});

test('the young generation grows as far as the growth factor lets it', () => {
  const program = `
const { setFlagsFromString, getHeapSpaceStatistics } = await import('node:v8');
setFlagsFromString('--semi-space-growth-factor=' + process.argv[1]);
let kept = [];
for (let n = 0; n < 1e6; n += 1) { kept.push({ n }); if (kept.length > 1e5) kept = []; }
console.log(getHeapSpaceStatistics().find(({ space_name: name }) => name === 'new_space').space_size);`;
  const size = (factor: number): number =>
    Number(execFileSync(process.execPath, ['--input-type=module', '-e', program, String(factor)]));
  expect(size(1)).toBeLessThan(size(4));
});
