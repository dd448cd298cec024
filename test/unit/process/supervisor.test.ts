import { beforeEach, describe, expect, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import { type Logger, silentLogger } from '../../../src/base/log.ts';
import type { WorkerConfig, WorkerProcess } from '../../../src/datastore.ts';
import type { Child, Exit } from '../../../src/process/child.ts';
import { StartGate } from '../../../src/process/start-gate.ts';
import { Supervisor, type SupervisorDeps, type Surroundings } from '../../../src/process/supervisor.ts';
import { HandClock } from '../../helpers/hand-clock.ts';

const config: WorkerConfig = {
  env: [],
  handlers: [],
  user: undefined,
  group: undefined,
  redelivery: undefined,
  concurrency: undefined,
  timeout: 1,
};

const surroundings: Surroundings = { socketPath: '/run/abcdefgh.s', account: undefined };

/** A run that ends when the test says so, or as soon as it is stopped. */
class ScriptedChild implements Child {
  readonly pid: number;
  readonly ended: Promise<Exit>;
  readonly graces: number[] = [];
  /** Whether it ends when it is stopped. */
  obedient = true;
  #end: (exit: Exit) => void = () => {};

  constructor(pid: number) {
    this.pid = pid;
    this.ended = new Promise((resolve) => {
      this.#end = resolve;
    });
  }

  stop(grace: number): void {
    this.graces.push(grace);
    if (this.obedient) this.end({ exitCode: null, signal: 'SIGTERM', asked: true });
  }

  end(exit: Partial<Exit> = {}): void {
    this.#end({ exitCode: 1, signal: null, asked: false, lastError: '', ...exit });
  }
}

let clock: HandClock;
let children: ScriptedChild[];
let lines: string[];
let died: Exit[];
let tried: number;
let refused: number;
let worker: WorkerProcess;
let refusal: Error | undefined;
let startError: Error | undefined;

function supervise(deps: Partial<SupervisorDeps> = {}): Supervisor {
  const say = (_fields: object, sentence: string): void => {
    lines.push(sentence);
  };
  const log: Logger = { ...silentLogger, info: say, warn: say, error: say };
  return new Supervisor(worker, 'first', {
    clock,
    random: () => 1,
    log,
    gate: new StartGate(1),
    checkFile: () => {
      if (refusal) throw refusal;
    },
    loadConfig: () => config,
    prepare: async () => surroundings,
    start: async () => {
      if (startError) throw startError;
      const child = new ScriptedChild(children.length + 100);
      children.push(child);
      return child;
    },
    onTried: () => {
      tried += 1;
    },
    onRefused: () => {
      refused += 1;
    },
    onSpawn: () => {},
    onDie: async (_pid, exit) => {
      died.push(exit);
    },
    ...deps,
  });
}

/** Lets everything happen that waits for nothing but a turn. */
async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

function last(): ScriptedChild {
  const child = children.at(-1);
  if (!child) throw new Error('nothing was started');
  return child;
}

function said(words: string): number {
  return lines.filter((line) => line.includes(words)).length;
}

beforeEach(() => {
  clock = new HandClock();
  children = [];
  lines = [];
  died = [];
  tried = 0;
  refused = 0;
  refusal = undefined;
  startError = undefined;
  worker = { file: '/w/x-worker', config, pid: 0, state: 'starting', startedAt: 0, restarts: 0, reason: '' };
});

describe('restarting', () => {
  test('waits twice as long each time, up to a minute, and never gives up', async () => {
    supervise();
    const waits: number[] = [];
    for (let run = 0; run < 12; run += 1) {
      await settle();
      last().end();
      await settle();
      const [wait = 0] = clock.waits;
      waits.push(wait);
      clock.wind(wait);
    }
    await settle();
    // With the largest jitter; the smallest is always half a second.
    expect(waits.slice(0, 8)).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
    expect(children).toHaveLength(13);
    expect(worker.restarts).toBe(12);
    expect(tried).toBe(1);
  });

  test('calls it failing after five in a row, says so once, and until it has proved itself', async () => {
    const supervisor = supervise();
    for (let run = 0; run < 7; run += 1) {
      await settle();
      last().end({ lastError: 'no module grpc' });
      await settle();
      expect(worker.state).toBe(run < 4 ? 'waiting' : 'failing');
      clock.wind(60_000);
    }
    await settle();
    expect(said('keeps failing')).toBe(1);
    expect(worker.state).toBe('failing');
    expect(worker.reason).toBe('exit status 1: no module grpc');
    supervisor.registered();
    expect(worker.state).toBe('registered');
    clock.wind(5_000);
    expect(said('runs again')).toBe(1);
    last().end();
    await settle();
    expect(worker.state).toBe('waiting');
    expect(clock.waits).toEqual([1_000]);
  });

  test('forgets failures only after five seconds registered', async () => {
    const supervisor = supervise();
    await settle();
    last().end();
    await settle();
    clock.wind(1_000);
    await settle();
    supervisor.registered();
    clock.wind(4_999);
    last().end();
    await settle();
    expect(clock.waits).toEqual([2_000]);
  });

  test('a worker that unregisters has proved nothing', async () => {
    const supervisor = supervise();
    await settle();
    last().end();
    await settle();
    clock.wind(1_000);
    await settle();
    supervisor.registered();
    supervisor.unregistered();
    expect(worker.state).toBe('starting');
    clock.wind(10_000);
    last().end();
    await settle();
    expect(clock.waits).toEqual([2_000]);
  });

  test('says that a worker has not registered within a minute, and leaves it running', async () => {
    supervise();
    await settle();
    clock.wind(59_999);
    expect(said('has not registered')).toBe(0);
    clock.wind(1);
    expect(said('has not registered')).toBe(1);
    expect(last().graces).toEqual([]);
    expect(worker.pid).toBe(100);
  });

  test('a file somebody still writes to is tried again soon, without counting as a failure', async () => {
    supervise();
    await settle();
    last().end({ exitCode: 126, lastError: 'setpriv: failed to execute /w/x-worker: Text file busy' });
    await settle();
    expect(clock.waits).toEqual([200]);
    startError = new YggError('YGG_WORKER_START', 'busy', {
      cause: Object.assign(new Error(), { code: 'ETXTBSY' }),
    });
    clock.wind(200);
    await settle();
    expect(clock.waits).toEqual([200]);
    expect(worker.restarts).toBe(0);
    startError = undefined;
    clock.wind(200);
    await settle();
    expect(children).toHaveLength(2);
  });

  test('a file that stays busy becomes a failure', async () => {
    startError = new YggError('YGG_WORKER_START', 'busy', {
      cause: Object.assign(new Error(), { code: 'ETXTBSY' }),
    });
    supervise();
    for (let turn = 0; turn < 26; turn += 1) {
      await settle();
      clock.wind(200);
    }
    expect(worker.reason).toBe('the file is still being written to');
    expect(worker.restarts).toBe(1);
  });
});

describe('refusing', () => {
  test('is said once, looked at again every ten seconds, and over when the reason is gone', async () => {
    refusal = new YggError('YGG_UNSAFE_PATH', '/w can be changed by everybody');
    supervise();
    await settle();
    expect(worker).toMatchObject({ state: 'refused', reason: '/w can be changed by everybody' });
    expect(tried).toBe(1);
    clock.wind(10_000);
    await settle();
    expect(refused).toBe(1);
    refusal = new YggError('YGG_WORKER_FILE', 'something else');
    clock.wind(10_000);
    await settle();
    expect(refused).toBe(2);
    refusal = undefined;
    clock.wind(10_000);
    await settle();
    expect(children).toHaveLength(1);
  });

  test('the file is checked again when its socket is there', async () => {
    const prepare = async (): Promise<Surroundings> => {
      refusal = new YggError('YGG_UNSAFE_PATH', 'changed in between');
      return surroundings;
    };
    supervise({
      prepare,
      start: async () => {
        throw refusal ?? new Error('expected a refusal');
      },
    });
    await settle();
    expect(worker).toMatchObject({ state: 'refused', reason: 'changed in between' });
  });
});

describe('changes and ends', () => {
  test('a change ends the run and starts the next without delay', async () => {
    const supervisor = supervise();
    await settle();
    supervisor.renew('second');
    await settle();
    expect(supervisor.stamp).toBe('second');
    expect(children).toHaveLength(2);
    expect(died).toEqual([{ exitCode: null, signal: 'SIGTERM', asked: true, lastError: '' }]);
    expect(worker.restarts).toBe(0);
  });

  test('changes while the run ends make one new run', async () => {
    const supervisor = supervise();
    await settle();
    last().obedient = false;
    supervisor.renew('second');
    supervisor.renew('third');
    await settle();
    expect(worker.state).toBe('stopping');
    expect(children).toHaveLength(1);
    last().end({ asked: true });
    await settle();
    expect(children).toHaveLength(2);
    expect(clock.waits).toEqual([1_000, 60_000]);
  });

  test('a change cuts a wait short and forgets failures', async () => {
    const supervisor = supervise();
    for (let run = 0; run < 3; run += 1) {
      await settle();
      last().end();
      await settle();
      if (run < 2) clock.wind(60_000);
    }
    supervisor.renew('second');
    await settle();
    expect(children).toHaveLength(4);
    last().end();
    await settle();
    expect(clock.waits).toEqual([1_000]);
  });

  test('a change during the start is not lost', async () => {
    let open: (prepared: Surroundings) => void = () => {};
    const supervisor = supervise({
      prepare: (_process, abort) =>
        new Promise((resolve, reject) => {
          open = resolve;
          abort.addEventListener('abort', () => reject(abort.reason));
        }),
    });
    await settle();
    supervisor.renew('second');
    await settle();
    open(surroundings);
    await settle();
    expect(children).toHaveLength(1);
    expect(died).toEqual([]);
  });

  test('an end waits for the run and starts no other', async () => {
    const supervisor = supervise();
    await settle();
    last().obedient = false;
    let ended = false;
    const end = supervisor.end(10_000).then(() => {
      ended = true;
    });
    await settle();
    expect(ended).toBe(false);
    void supervisor.end(0);
    expect(last().graces).toEqual([10_000, 0]);
    last().end({ asked: true });
    await end;
    supervisor.renew('second');
    await settle();
    expect(children).toHaveLength(1);
    expect(clock.waits).toEqual([]);
  });

  test('an end cuts a wait short', async () => {
    const supervisor = supervise();
    await settle();
    last().end();
    await settle();
    await supervisor.end(10_000);
    expect(clock.waits).toEqual([]);
  });

  test('a retired worker runs on, and is not started again', async () => {
    const supervisor = supervise();
    await settle();
    supervisor.retire();
    expect(last().graces).toEqual([]);
    last().end();
    await settle();
    await supervisor.end(0);
    expect(children).toHaveLength(1);
    expect(died).toHaveLength(1);
  });
});

test('the next worker may start when this one has registered, has ended, or after a second', async () => {
  const gate = new StartGate(1);
  const supervisor = supervise({ gate });
  await settle();
  let entered = 0;
  const enter = (): void => {
    void gate.enter().then((leave) => {
      entered += 1;
      leave();
    });
  };
  enter();
  await settle();
  expect(entered).toBe(0);
  supervisor.registered();
  await settle();
  expect(entered).toBe(1);
  last().end();
  await settle();
  clock.wind(1_000);
  await settle();
  enter();
  await settle();
  expect(entered).toBe(1);
  clock.wind(1_000);
  await settle();
  expect(entered).toBe(2);
});
