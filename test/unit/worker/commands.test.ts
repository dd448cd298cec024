import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { createTestDaemon, type TestDaemon, type TestResult } from '../../../src/testing/index.ts';
import {
  command,
  createWorker,
  event,
  fatal,
  RetryLater,
  type StandardSchema,
} from '../../../src/worker/index.ts';
import { testScope } from '../../helpers/test-scope.ts';

interface Scan {
  readonly path: string;
}

/** As any library of Standard Schema makes one. */
const scanInput: StandardSchema<Scan> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate(value) {
      const path = typeof value === 'object' && value !== null && 'path' in value ? value.path : undefined;
      return typeof path === 'string'
        ? { value: { path } }
        : { issues: [{ message: 'must be a string', path: ['path'] }] };
    },
  },
};

const scanned: StandardSchema<{ readonly files: number }> = {
  '~standard': {
    version: 1,
    vendor: 'test',
    validate: () => ({ issues: [{ message: 'only its type counts' }] }),
  },
};

const scan = command({
  input: scanInput,
  events: { scanned: { payload: scanned, help: 'https://example.test/scanned' }, empty: {} },
  help: 'https://example.test/scan',
  run({ path }) {
    if (path === '/broken') throw Object.assign(new Error('cannot be read'), { code: 'EIO' });
    if (path === '/busy') throw new RetryLater(10);
    if (path === '/fatal') return fatal({ reason: 'no disk' });
    return path === '/' ? event('scanned', { files: path.length }) : event('empty', null);
  },
});

async function start(more: Parameters<typeof createWorker>[0]): Promise<TestDaemon> {
  const daemon = await createTestDaemon();
  testScope().defer(() => daemon.stop());
  await daemon.run(createWorker({ log: silentLogger, ...more }));
  return daemon;
}

function events({ answers }: TestResult): unknown[] {
  return answers.map((answer) => [answer.metadata['event'], answer.json()]);
}

test('a command takes its input as its schema makes it, and answers with an event', async () => {
  const daemon = await start({ handler: 'disk', commands: { scan } });
  const metadata = { command: 'scan' };
  const result = await daemon.send({ directive: 'disk', metadata, content: { path: '/', more: 1 } });
  expect(events(result)).toEqual([['scanned', { files: 1 }]]);
  expect(result.outcome).toBe('done');
});

test('the only command need not be named', async () => {
  const daemon = await start({ handler: 'disk', commands: { scan } });
  expect(events(await daemon.send({ directive: 'disk', content: { path: '/x' } }))).toEqual([
    ['empty', null],
  ]);
});

test.each([
  ['a bad input', { path: 1 }, {}, 'path: must be a string'],
  ['no JSON', Buffer.from('{'), {}, 'the content is no JSON'],
  ['an unknown command', { path: '/' }, { command: 'toString' }, 'There is no command "toString"'],
])('%s is answered with what is wrong, and does not run', async (_, content, metadata, expected) => {
  const daemon = await start({ handler: 'disk', retries: 3, commands: { scan } });
  const result = await daemon.send({ directive: 'disk', content, metadata });
  expect(result.outcome).toBe('done');
  expect(events(result)).toEqual([
    [
      'FATAL',
      expect.objectContaining({
        code: 'YGG_MESSAGE_INVALID',
        message: expect.stringContaining(expected),
        issues: [expect.anything()],
      }),
    ],
  ]);
});

test('what a command throws is the event FATAL, and nothing beside it', async () => {
  const daemon = await start({ handler: 'disk', commands: { scan } });
  const result = await daemon.send({ directive: 'disk', content: { path: '/broken' } });
  expect(result.outcome).toBe('done');
  expect(events(result)).toEqual([['FATAL', { code: 'EIO', message: 'cannot be read' }]]);
});

test('a command says fatal itself, and may ask for another run', async () => {
  const daemon = await start({ handler: 'disk', commands: { scan } });
  expect(events(await daemon.send({ directive: 'disk', content: { path: '/fatal' } }))).toEqual([
    ['FATAL', { reason: 'no disk' }],
  ]);
  const busy = await daemon.send({ directive: 'disk', content: { path: '/busy' } });
  expect(busy).toMatchObject({ outcome: 'failed', retry: true, answers: [] });
});

test('a command can answer with its own events only, in their types', () => {
  command({
    input: scanInput,
    events: { scanned: { payload: scanned } },
    // @ts-expect-error an event that is not the command's
    run: () => event('other', 1),
  });
  command({
    input: scanInput,
    events: { scanned: { payload: scanned } },
    // @ts-expect-error a payload of another type
    run: () => event('scanned', { files: 'many' }),
  });
  command({
    input: scanInput,
    events: {},
    run(input) {
      const known: string = input.path;
      // @ts-expect-error the input has the type of its schema
      const unknown: unknown = input.other;
      void [known, unknown];
    },
  });
  const worker = createWorker({
    handler: 'disk',
    commands: { scan },
    events: { full: { payload: scanned } },
  });
  const uses = [
    () => worker.send('full', { files: 1 }),
    // @ts-expect-error an event the worker does not have
    () => worker.send('other', { files: 1 }),
    // @ts-expect-error a payload of another type
    () => worker.send('full', { files: 'many' }),
  ];
  expect(uses).toHaveLength(3);
});

test('what a worker offers is announced in its features', async () => {
  const daemon = await start({
    handler: 'disk',
    help: 'https://example.test/disk',
    events: { full: {} },
    features: { version: '1' },
    commands: { scan },
  });
  const features = daemon.features('disk');
  expect(features).toMatchObject({ version: '1', help: 'https://example.test/disk', events: '{"full":{}}' });
  expect(JSON.parse(features?.['commands'] ?? '')).toEqual({
    scan: {
      help: 'https://example.test/scan',
      events: { scanned: { help: 'https://example.test/scanned' }, empty: {} },
    },
  });
});

test('a command replies with its own events too, as often as it likes', async () => {
  const count = command({
    input: scanInput,
    events: { found: { payload: scanned }, empty: {} },
    async run(_, job) {
      await job.reply(event('found', { files: 1 }));
      // @ts-expect-error an event that is not the command's
      await expect(job.reply(event('other', 1))).rejects.toThrow(
        '"other" is none of the command\'s: found, empty',
      );
      // @ts-expect-error a payload of another type
      const wrong = () => job.reply(event('found', { files: 'many' }));
      expect(wrong).toBeTypeOf('function');
      return event('found', { files: 2 });
    },
  });
  const daemon = await start({ handler: 'disk', commands: { count } });
  const result = await daemon.send({ directive: 'disk', content: { path: '/' } });
  expect(events(result)).toEqual([
    ['found', { files: 1 }],
    ['found', { files: 2 }],
  ]);
});

test.each([
  ['another event', () => event('other', 1), 'none of the command'],
  ['no event', () => ({ files: 1 }), 'answers with an event'],
])('where no types stop it, %s is the failure of the command', async (_, run, sentence) => {
  const untyped = command({ input: scanInput, events: { scanned: {} }, run: run as () => never });
  const daemon = await start({ handler: 'disk', commands: { untyped } });
  const result = await daemon.send({ directive: 'disk', content: { path: '/' } });
  expect(events(result)).toEqual([
    ['FATAL', { code: 'TypeError', message: expect.stringContaining(sentence) }],
  ]);
});
