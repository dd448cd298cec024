import { EventEmitter } from 'node:events';
import { describe, expect, test } from 'vitest';
import type { LineStream } from '../../../src/base/line-writer.ts';
import { createLogger, type LoggerOptions, type RootLogger } from '../../../src/base/logger.ts';

/** A stream that keeps what it is given; `writableLength` and failures are set by the test. */
class Paper extends EventEmitter implements LineStream {
  readonly lines: string[] = [];
  writableLength = 0;
  failure: Error | undefined;

  write(chunk: string): boolean {
    if (this.failure) throw this.failure;
    this.lines.push(...chunk.split('\n').slice(0, -1));
    return true;
  }
}

const now = (): number => Date.UTC(2026, 10, 20, 10, 0, 0, 7);

async function open(options: Partial<LoggerOptions> = {}): Promise<{ log: RootLogger; paper: Paper }> {
  const paper = new Paper();
  const log = await createLogger({ format: 'text', level: 'info', stream: paper, now, ...options });
  return { log, paper };
}

describe('formats', () => {
  test('text has time, level, sentence and fields', async () => {
    const { log, paper } = await open();
    log.warn({ message_id: 'a-1', attempt: 2, directive: 'two words', gone: undefined }, 'handed over again');
    expect(paper.lines).toEqual([
      '2026-11-20T10:00:00.007Z WARN  handed over again message_id=a-1 attempt=2 directive="two words"',
    ]);
  });

  test('the journal gets a priority and no time', async () => {
    const { log, paper } = await open({ format: 'journal', level: 'trace' });
    log.error({}, 'one');
    log.warn({}, 'two');
    log.info({}, 'three');
    log.debug({}, 'four');
    log.trace({ n: 1 }, 'five');
    expect(paper.lines).toEqual(['<3>one', '<4>two', '<6>three', '<7>four', '<7>five n=1']);
  });

  test('json is one object a line, level and time first', async () => {
    const { log, paper } = await open({ format: 'json' });
    log.info({ message_id: 'a-1' }, 'taken');
    expect(paper.lines).toEqual([
      '{"level":"info","time":"2026-11-20T10:00:00.007Z","message_id":"a-1","msg":"taken"}',
    ]);
  });

  test('colour is in the level word alone', async () => {
    const { log, paper } = await open({ colour: true });
    log.error({}, 'red');
    expect(paper.lines).toEqual(['2026-11-20T10:00:00.007Z \u001b[31mERROR\u001b[0m red']);
  });
});

describe('what a line may hold', () => {
  const nasty = 'a\nb\u001b[2J\u009b\u202eend\u2028';

  test.each(['text', 'journal', 'json'] as const)('%s escapes every control character', async (format) => {
    const { log, paper } = await open({ format });
    log.info({ from: nasty }, `said ${nasty}`);
    expect(paper.lines).toHaveLength(1);
    const line = paper.lines[0] ?? '';
    // biome-ignore lint/suspicious/noControlCharactersInRegex: these are what must not be there
    expect(line).not.toMatch(/[\u0000-\u001f\u007f-\u009f\u2028\u202e]/);
    if (format === 'json') expect(JSON.parse(line)).toMatchObject({ from: nasty, msg: `said ${nasty}` });
  });

  test('bytes are never shown, long texts are cut, and nothing makes it throw', async () => {
    const circle: { self?: unknown } = {};
    circle.self = circle;
    for (const format of ['text', 'json'] as const) {
      const { log, paper } = await open({ format });
      log.info(
        {
          body: Buffer.from('secret'),
          long: 'x'.repeat(10_000),
          wide: { text: 'y'.repeat(10_000) },
          circle,
          huge: 12345678901234567890n,
          error: new Error('broken'),
          nothing: null,
        },
        'all kinds',
      );
      const line = paper.lines[0] ?? '';
      expect(line).not.toContain('secret');
      expect(line).toContain('6 bytes');
      expect(line).toContain('(10000 characters)');
      expect(line).toContain('12345678901234567890');
      expect(line).toContain('broken');
      expect(line.length).toBeLessThan(20_000);
    }
  });
});

describe('levels and children', () => {
  test('the level can be changed while it runs, for children too', async () => {
    const { log, paper } = await open({ level: 'warn', format: 'journal' });
    const child = log.child({ part: 'router' }).child({ broker: 'b' });
    child.info({}, 'unseen');
    log.level = 'debug';
    child.debug({ n: 1 }, 'seen');
    log.level = 'error';
    child.warn({}, 'unseen again');
    expect(log.level).toBe('error');
    expect(paper.lines).toEqual(['<7>seen part=router broker=b n=1']);
  });
});

describe('a stream in trouble', () => {
  test('a reader that does not read costs lines, not memory, and is told how many', async () => {
    const { log, paper } = await open({ format: 'journal' });
    paper.writableLength = 2 * 1024 * 1024;
    log.info({}, 'lost');
    log.info({}, 'lost too');
    expect(paper.lines).toEqual([]);
    paper.writableLength = 0;
    paper.emit('drain');
    log.info({}, 'back');
    expect(paper.lines).toEqual(['<4>log lines were dropped, nobody read them lines=2', '<6>back']);
  });

  test('a stream that throws or fails is survived', async () => {
    const { log, paper } = await open();
    paper.failure = new Error('ENOSPC');
    log.info({}, 'no room');
    paper.failure = undefined;
    paper.emit('error', new Error('EPIPE'));
    log.info({}, 'room');
    expect(paper.lines).toHaveLength(1);
  });

  test('flush waits for the reader, at most as long as it is told', async () => {
    const { log, paper } = await open();
    await log.flush(1);
    paper.writableLength = 10;
    await log.flush(1);
    const flushed = log.flush(60_000);
    paper.emit('drain');
    await flushed;
  });

  test('close takes its listeners away', async () => {
    const { log, paper } = await open();
    log.close();
    expect(paper.listenerCount('error') + paper.listenerCount('drain')).toBe(0);
  });
});
