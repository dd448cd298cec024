import { describe, expect, test, vi } from 'vitest';
import { silentLogger } from '../../src/base/log.ts';
import { createLifecycle, type LifecycleOptions, type Part } from '../../src/lifecycle.ts';

/** Parts that write down what they are asked to do. */
function recorded(names: readonly string[], overrides: Readonly<Record<string, Partial<Part>>> = {}) {
  const calls: string[] = [];
  const parts = names.map(
    (name): Part => ({
      name,
      init: () => void calls.push(`${name}.init`),
      run: () => void calls.push(`${name}.run`),
      drain: (stage) => void calls.push(`${name}.${stage}`),
      stop: () => void calls.push(`${name}.stop`),
      ...overrides[name],
    }),
  );
  const create = (options: Partial<LifecycleOptions> = {}) =>
    createLifecycle({ parts, log: silentLogger, ...options });
  return { calls, create };
}

const never = (): Promise<void> => new Promise(() => {});

describe('start', () => {
  test('inits in order, then runs in order', async () => {
    const { calls, create } = recorded(['a', 'b']);
    await create().start();
    expect(calls).toEqual(['a.init', 'b.init', 'a.run', 'b.run']);
  });

  test('a failed init stops those before it in reverse, not itself, and is named', async () => {
    const broken = new Error('no disk');
    const { calls, create } = recorded(['a', 'b', 'c', 'd'], { c: { init: () => Promise.reject(broken) } });
    await expect(create().start()).rejects.toMatchObject({
      code: 'YGG_START',
      message: 'c: init failed: no disk',
      cause: broken,
    });
    expect(calls).toEqual(['a.init', 'b.init', 'b.stop', 'a.stop']);
  });

  test('a failed run stops all', async () => {
    const { calls, create } = recorded(['a', 'b'], { a: { run: () => Promise.reject(new Error('no')) } });
    await expect(create().start()).rejects.toMatchObject({ code: 'YGG_START' });
    expect(calls).toEqual(['a.init', 'b.init', 'b.stop', 'a.stop']);
  });

  test('an init that never ends is named at its deadline and told to give up', async () => {
    let told = false;
    const init = (abort: AbortSignal): Promise<void> => {
      abort.addEventListener('abort', () => {
        told = true;
      });
      return never();
    };
    const { create } = recorded(['a', 'slow'], { slow: { init } });
    await expect(create({ startDeadline: 20 }).start()).rejects.toMatchObject({
      code: 'YGG_START',
      message: expect.stringContaining('slow: init did not end within 20 ms'),
    });
    expect(told).toBe(true);
  });

  test('a failing stop after a failed start is logged, and the first error wins', async () => {
    const error = vi.fn();
    const { create } = recorded(['a', 'b'], {
      a: { stop: () => Promise.reject(new Error('stuck')) },
      b: { init: () => Promise.reject(new Error('no disk')) },
    });
    const log = { ...silentLogger, error };
    await expect(create({ log }).start()).rejects.toThrow('no disk');
    expect(error).toHaveBeenCalledWith({ error: 'stuck' }, expect.any(String));
  });
});

describe('stop', () => {
  test('asks every part at every stage, then stops in reverse', async () => {
    const { calls, create } = recorded(['a', 'b']);
    const life = create();
    await life.start();
    calls.length = 0;
    await life.stop();
    expect(calls).toEqual([
      ...['quiet', 'finish', 'workers', 'goodbye'].flatMap((stage) => [`a.${stage}`, `b.${stage}`]),
      'b.stop',
      'a.stop',
    ]);
  });

  test('the parts share a stage: one that waits for another is not alone', async () => {
    let letGo: () => void = () => {};
    const waited = new Promise<void>((resolve) => {
      letGo = resolve;
    });
    const { create } = recorded(['first', 'second'], {
      first: { drain: (stage) => (stage === 'finish' ? waited : undefined) },
      second: { drain: (stage) => (stage === 'finish' ? letGo() : undefined) },
    });
    const life = create();
    await life.start();
    await expect(life.stop()).resolves.toBeUndefined();
  });

  test('errors and overrun stages are gathered and named, and every part is stopped all the same', async () => {
    const { calls, create } = recorded(['a', 'b', 'c'], {
      a: { stop: () => Promise.reject(new Error('a is stuck')) },
      b: { drain: (stage) => (stage === 'goodbye' ? never() : undefined) },
    });
    const life = create({ stageDeadlines: { goodbye: 20 } });
    await life.start();
    await expect(life.stop()).rejects.toMatchObject({
      code: 'YGG_STOP',
      message: expect.stringMatching(/b: goodbye did not end within 520 ms; a is stuck/),
    });
    expect(calls).toContain('c.stop');
    expect(calls).toContain('b.stop');
  });

  test('any number of parts can wait for the end of a stage without a warning of Node', async () => {
    const names = Array.from({ length: 20 }, (_, number) => `part-${number}`);
    const drain = (_stage: unknown, abort: AbortSignal): Promise<void> =>
      new Promise((resolve) => abort.addEventListener('abort', () => resolve()));
    const { create } = recorded(names, Object.fromEntries(names.map((name) => [name, { drain }])));
    const life = create({ stageDeadlines: { quiet: 5, finish: 5, workers: 5, goodbye: 5 } });
    await life.start();
    await expect(life.stop()).resolves.toBeUndefined();
  });

  test('a part that gives up a stage when its time is over has stopped cleanly', async () => {
    const { create } = recorded(['a'], {
      a: {
        drain: (stage, abort) =>
          stage === 'finish'
            ? new Promise((resolve) => abort?.addEventListener('abort', () => resolve()))
            : undefined,
      },
    });
    const life = create({ stageDeadlines: { finish: 20 } });
    await life.start();
    await expect(life.stop()).resolves.toBeUndefined();
  });

  test('is done once, however often it is asked for', async () => {
    const { calls, create } = recorded(['a']);
    const life = create();
    await life.start();
    const first = life.stop();
    expect(life.stop()).toBe(first);
    await first;
    await life.stop();
    expect(calls.filter((call) => call === 'a.stop')).toHaveLength(1);
  });

  test('during the start: nothing more is started, what is started is drained and stopped', async () => {
    let started: (() => void) | undefined;
    const { calls, create } = recorded(['a', 'b', 'c'], {
      b: {
        init: () =>
          new Promise((resolve) => {
            started = resolve;
          }),
      },
    });
    const life = create();
    const start = life.start();
    await vi.waitFor(() => expect(started).toBeDefined());
    const stop = life.stop();
    started?.();
    await expect(start).rejects.toMatchObject({ code: 'YGG_CLOSED' });
    await stop;
    expect(calls).not.toContain('c.init');
    expect(calls).toContain('b.goodbye');
    expect(calls.slice(-2)).toEqual(['b.stop', 'a.stop']);
  });

  test('without a start there is nothing to do', async () => {
    const { calls, create } = recorded(['a']);
    await create().stop();
    expect(calls).toEqual([]);
  });
});

describe('force', () => {
  test('cuts a stage that waits, skips the others, and still stops every part', async () => {
    const { calls, create } = recorded(['a', 'b'], {
      a: { drain: (stage) => (stage === 'finish' ? never() : undefined) },
    });
    const life = create({ stageDeadlines: { finish: 60_000 } });
    await life.start();
    const stop = life.stop();
    await vi.waitFor(() => expect(calls).toContain('b.finish'));
    await life.force();
    await stop;
    expect(calls).not.toContain('b.workers');
    expect(calls.slice(-2)).toEqual(['b.stop', 'a.stop']);
  });

  test('without a stop before it, stops without draining', async () => {
    const { calls, create } = recorded(['a']);
    const life = create();
    await life.start();
    await life.force();
    expect(calls).toEqual(['a.init', 'a.run', 'a.stop']);
  });

  test('ends a start that hangs', async () => {
    const { create } = recorded(['a'], { a: { init: never } });
    const life = create();
    const start = life.start();
    await life.force();
    await expect(start).rejects.toMatchObject({ code: expect.stringMatching(/YGG_START|YGG_CLOSED/) });
  });
});
