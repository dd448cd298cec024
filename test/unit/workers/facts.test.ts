import { readdirSync } from 'node:fs';
import os from 'node:os';
import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { createTestDaemon, type TestDaemon } from '../../../src/testing/index.ts';
import { createFactsWorker } from '../../../workers/facts/facts.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

async function start(): Promise<TestDaemon> {
  const daemon = await createTestDaemon();
  testScope().defer(() => daemon.stop());
  await daemon.run(createFactsWorker('facts', silentLogger));
  return daemon;
}

const hostile: ReadonlyArray<readonly [what: string, content: unknown]> = [
  ['no JSON', Buffer.from('["cpu"')],
  ['bytes', Buffer.from([0xff, 0xfe, 0x00])],
  ['a bare name', 'cpu'],
  ['a number', 1],
  ['true', true],
  ['an object', { parts: ['cpu'] }],
  ['an object that looks like a list', { 0: 'cpu', length: 1 }],
  ['an unknown name', ['secrets']],
  ['a known name and an unknown one', ['cpu', 'secrets']],
  ['another case', ['CPU']],
  ['a blank', ['cpu ']],
  ['a path', ['/etc/shadow']],
  ['a way up', ['../../etc/shadow']],
  ['a file of the process', ['/proc/self/environ']],
  ['a command', ['$(touch FOLDER/marker)']],
  ['a second command', ['cpu; touch FOLDER/marker']],
  ['the name of a prototype', ['__proto__']],
  ['the name of a method', ['constructor']],
  ['a list in a list', [['cpu']]],
  ['nulls', [null, null]],
  ['a great many names', Array.from({ length: 50_000 }, (_, n) => `part-${n}`)],
];

test.each(hostile)('%s is refused', async (_, content) => {
  const folder = tempDir(testScope());
  const daemon = await start();
  const text = content instanceof Buffer ? content : JSON.stringify(content).replaceAll('FOLDER', folder);
  const result = await daemon.send({ directive: 'facts', content: Buffer.from(text) });
  expect(result).toMatchObject({ outcome: 'failed', retry: false, answers: [] });
  expect(['REFUSED', 'SyntaxError']).toContain(result.code);
  expect(readdirSync(folder)).toEqual([]);
});

test.each([
  ['no content', undefined],
  ['null', null],
])('%s is answered with everything', async (_, content) => {
  const daemon = await start();
  const { answers } = await daemon.send({ directive: 'facts', content });
  expect(answers[0]?.json()).toMatchObject({
    host: { name: os.hostname(), kernel: os.release() },
    cpu: { count: os.cpus().length },
    memory: { total: os.totalmem() },
    disk: expect.arrayContaining([expect.objectContaining({ place: '/', size: expect.any(Number) })]),
    network: expect.arrayContaining([
      expect.objectContaining({ name: 'lo', addresses: expect.arrayContaining(['127.0.0.1/8']) }),
    ]),
  });
});

test('only what is asked for is looked up', async () => {
  const { answers } = await (await start()).send({ directive: 'facts', content: ['memory', 'cpu'] });
  expect(Object.keys(Object(answers[0]?.json()))).toEqual(['cpu', 'memory']);
});
