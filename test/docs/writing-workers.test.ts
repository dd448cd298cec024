import { expect, test } from 'vitest';
import { codeBlocks, runProgram } from './code-blocks.ts';

const [tenLines = '', tested = '', failures = '', commands = '', health = '', ...more] = codeBlocks(
  'docs/writing-workers.md',
  'js',
);

test('the worker of ten lines wants a daemon, and says so', async () => {
  await expect(runProgram(tenLines)).rejects.toThrow('YGG_SOCKET_ADDR is not set');
});

test('a worker says what it offers', async () => {
  const described = await runProgram(`process.argv.push('--describe');\n${tenLines}`);
  expect(JSON.parse(described)).toMatchObject({ handlers: { echo: { redelivery: 'until-accepted' } } });
});

test.each([
  ['a worker is tested', tested, 'tested\n'],
  ['a worker fails', failures, 'failed as it should\n'],
  ['a worker takes commands', commands, 'scanned\n'],
  ['a worker tells its health', health, 'DaemonConnection true,disk true\n'],
])('%s as the page shows it', async (_, code, said) => {
  const lines = (await runProgram(code)).split('\n').filter((line) => !/^(INFO|WARN) /.test(line));
  expect(lines.join('\n')).toBe(said);
});

test('every block of the page is run', () => {
  expect(more).toEqual([]);
});
