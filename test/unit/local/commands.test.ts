/** The commands as they are typed, to a daemon that is played here. */
import { Command } from 'commander';
import { describe, expect, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import { dateAndTime } from '../../../src/base/time-text.ts';
import type {
  Control,
  DaemonEvent,
  DaemonStatus,
  DispatchProgress,
  WorkerStatus,
} from '../../../src/control-api.ts';
import type { MessageRecord } from '../../../src/journal/message-record.ts';
import { addLocalCommands } from '../../../src/local/commands.ts';
import { HandClock } from '../../helpers/hand-clock.ts';

const start = new Date(2026, 10, 20, 10, 0, 0).getTime();
const minute = 60_000;

const record: MessageRecord = {
  sequence: 7,
  kind: 'request',
  messageId: '0f0a7a4e-8d0e-4a57-9b43-2f1b8d0d0c05',
  responseTo: '',
  directive: 'echo',
  state: 'dead',
  reason: 'no-worker',
  explanation: 'None came.',
  report: 'reported',
  size: 2_048,
  queuedAt: start - 5 * minute,
  startedAt: 0,
  updatedAt: start - minute,
  attempts: 0,
  cancel: false,
  origin: 'broker',
  redelivery: '',
  contentFile: '',
};

const worker: WorkerStatus = {
  handler: 'echo',
  file: '/w/echo-worker',
  pid: 71,
  state: 'registered',
  since: start - 62 * minute,
  restarts: 1,
  reason: '',
  features: {},
  detached: false,
  redelivery: 'until-accepted',
  slots: 64,
  waiting: 12,
  offered: 1,
  inHand: 2,
  oldestAt: start - 3 * minute,
  health: [
    { name: 'disk', healthy: false, status: '' },
    { name: 'daemon', healthy: true, status: '' },
  ],
};

const status: DaemonStatus = {
  version: '1.2.3',
  clientId: 'host-1',
  pid: 17,
  startedAt: start - 62 * minute,
  logLevel: 'info',
  broker: { state: 'connected', since: start - minute, url: 'mqtt://b', reason: '', nextAttempt: 0 },
  disk: { trouble: '', since: 0 },
  inbox: { messages: 15, bytes: 1_536, messageLimit: 1_000, byteLimit: 1_048_576 },
  outbox: { messages: 0, bytes: 0, messageLimit: 500, byteLimit: 1_048_576 },
  waiting: 12,
  offered: 1,
  inHand: 2,
  dead: 4,
  workers: [worker],
  unattended: [],
  alarms: [],
  counters: { messages_received: 1_234, messages_done: 5 },
  restartAt: 0,
};

const event: DaemonEvent = {
  at: start,
  name: 'data-recv',
  sequence: 7,
  messageId: 'm',
  responseTo: '',
  directive: 'echo',
  pid: 0,
  file: '',
  attempts: 0,
  outcome: '',
  explanation: '',
  dropped: 0,
};

const progress: DispatchProgress = {
  state: 'queued',
  sequence: 7,
  messageId: 'm',
  attended: true,
  pid: 0,
  attempts: 0,
  metadata: {},
  content: Buffer.alloc(0),
  reason: '',
  explanation: '',
};

async function* these<T>(...given: readonly T[]): AsyncIterable<T> {
  yield* given;
}

interface World {
  readonly control?: Partial<Control>;
  /** Nobody listens on any control socket. */
  readonly stopped?: boolean;
  readonly terminal?: boolean;
  readonly stdin?: string;
  readonly interrupted?: Promise<void>;
  readonly clock?: HandClock;
}

interface Ended {
  readonly out: string;
  readonly err: string;
  readonly error: unknown;
  /** Where the daemon was looked for, what it was asked. */
  readonly asked: readonly unknown[];
}

async function yggctl(line: string, world: World = {}): Promise<Ended> {
  const out: string[] = [];
  const err: string[] = [];
  const asked: unknown[] = [];
  const note = <T>(answer: T) => {
    return (...given: readonly unknown[]): T => {
      asked.push(given[0]);
      return answer;
    };
  };
  const control: Control = {
    status: async () => status,
    workers: async () => [worker],
    listMessages: note(these(record)),
    showMessage: note(Promise.resolve(record)),
    content: note(these({ metadata: { a: 'b' }, content: Buffer.from('{"n":12345678901234567890}') })),
    listDeadLetters: note(these(record)),
    showDeadLetter: note(Promise.resolve(record)),
    retryDeadLetter: note(Promise.resolve({ ...record, sequence: 8 })),
    dropDeadLetter: note(Promise.resolve(record)),
    dispatch: note(these(progress)),
    events: note(these(event)),
    reload: async () => ({ applied: [], needRestart: [] }),
    restart: note(Promise.resolve({ latestAt: 1_795_174_386_518, inHand: 2 })),
    setLogLevel: async (level) => void asked.push(level),
    ...world.control,
  };
  const program = new Command('yggctl').exitOverride().configureOutput({
    writeOut: (text) => void out.push(text),
    writeErr: (text) => void err.push(text),
  });
  const screen = (into: string[]) => ({
    terminal: world.terminal ?? false,
    colour: false,
    write: async (text: string) => void into.push(text),
  });
  addLocalCommands(program, {
    runtimeDirs: (config) => (config === undefined ? ['/quick', '/run/y'] : ['/configured']),
    stateDirs: (config) => (config === undefined ? ['/none', '/var/y'] : ['/state-of-config']),
    findSocket: async (runtimeDir) => {
      asked.push(`look ${runtimeDir}`);
      return world.stopped || runtimeDir === '/quick' ? undefined : `${runtimeDir}/control.sock`;
    },
    connect: async ({ path }) => {
      asked.push(`connect ${path}`);
      return { ...control, close: () => void asked.push('close') };
    },
    openStopped: async (stateDir) => {
      asked.push(`open ${stateDir}`);
      if (stateDir === '/none') return undefined;
      return { ...control, stateDir, close: async () => void asked.push('close') };
    },
    parseDuration: (text) => (/^\d+m$/.test(text) ? Number.parseInt(text, 10) * minute : undefined),
    readMetadata: (entries) => Object.fromEntries(entries.map((entry) => entry.split('='))),
    readFile: (file) => Buffer.from(`"content of ${file}"`),
    readStdin: async () => Buffer.from(world.stdin ?? ''),
    interrupted: () => world.interrupted ?? new Promise(() => {}),
    clock: world.clock ?? new HandClock(start),
    out: screen(out),
    err: screen(err),
  });
  const error = await program.parseAsync(line.split(' '), { from: 'user' }).then(
    () => undefined,
    (thrown: unknown) => thrown,
  );
  return { out: out.join(''), err: err.join(''), error, asked };
}

describe('status', () => {
  test('is one page for people', async () => {
    const { out, error } = await yggctl('status');
    expect(error).toBeUndefined();
    expect(out).toBe(`yggd          1.2.3, process 17, running since 2026-11-20 08:58:00 (1 h 2 min)
host          host-1
broker        connected to mqtt://b since 2026-11-20 09:59:00 (1 min)
disk          takes messages
inbox         12 waiting, 1 being handed over, 2 in hand (15 of 1000, 1.5 KiB of 1 MiB)
outbox        0 to be delivered (0 of 500, 0 B of 1 MiB)
dead letters  4
log level     info

WORKER  STATE       PROCESS  SINCE                WAITING  IN HAND  OLDEST  RESTARTS  FILE            REASON
echo    registered       71  2026-11-20 08:58:00       12        3   3 min         1  /w/echo-worker  unhealthy: disk

COUNTER            SINCE THE START
messages_received             1234
messages_done                    5
`);
  });

  test('says in words what is wrong', async () => {
    const control: Partial<Control> = {
      status: async () => ({
        ...status,
        broker: {
          state: 'waiting',
          since: start - minute,
          url: '',
          reason: 'refused',
          nextAttempt: start + 5_000,
        },
        disk: { trouble: 'full', since: start - 2 * minute },
        alarms: [{ at: start - minute, sentence: 'The journal is damaged.\u001b[2J' }],
        unattended: [{ directive: 'lost', waiting: 3 }],
        workers: [],
      }),
    };
    const { out } = await yggctl('status', { control });
    expect(out).toContain(
      'broker        NOT CONNECTED since 2026-11-20 09:59:00 (1 min); refused; tried again in 5 s\n',
    );
    expect(out).toContain('disk          FULL since 2026-11-20 09:58:00 (2 min): no message is taken');
    expect(out).toContain('\nALARMS\n2026-11-20 09:59:00  The journal is damaged.\\u001b[2J\n');
    expect(out).toContain('\nWITHOUT A WORKER  WAITING\nlost                    3\n');
    expect(out).toContain('\nNo workers.\n');
  });

  test('is one object with exact times for programs', async () => {
    const { out } = await yggctl('status --format json');
    expect(out.split('\n')).toHaveLength(2);
    expect(JSON.parse(out)).toMatchObject({
      started: new Date(start - 62 * minute).toISOString(),
      in_hand: 2,
      broker: { state: 'connected', next_attempt: null },
      disk: { trouble: '', since: null },
      workers: [{ handler: 'echo', oldest: new Date(start - 3 * minute).toISOString() }],
      counters: { messages_received: 1_234 },
    });
  });
});

describe('the daemon is looked for', () => {
  test('in the usual places, one after the other', async () => {
    const { asked } = await yggctl('status');
    expect(asked).toEqual(['look /quick', 'look /run/y', 'connect /run/y/control.sock', 'close']);
  });

  test('where it is said to be, and nowhere else', async () => {
    expect((await yggctl('status --runtime-dir /there')).asked[0]).toBe('look /there');
    expect((await yggctl('status --config c.toml')).asked[0]).toBe('look /configured');
  });

  test('and is not there', async () => {
    const { error, asked } = await yggctl('workers list', { stopped: true });
    expect(error).toMatchObject({
      code: 'YGG_NOT_RUNNING',
      message: expect.stringContaining('/quick, /run/y'),
    });
    expect(asked).toEqual(['look /quick', 'look /run/y']);
  });

  test('and its directory serves for messages and dead letters', async () => {
    const { asked, err, out } = await yggctl('dead-letters list', { stopped: true, terminal: true });
    expect(asked.slice(0, 4)).toEqual(['look /quick', 'look /run/y', 'open /none', 'open /var/y']);
    expect(asked.at(-1)).toBe('close');
    expect(err).toBe('no daemon runs; this is what lies in /var/y\n');
    expect(out).toContain('no-worker');
  });

  test.each([
    ['--state-dir /mine', ['open /mine']],
    ['--config c.toml', ['look /configured', 'open /state-of-config']],
    ['--runtime-dir /r --state-dir /mine', ['look /r', 'open /mine']],
  ])('and its directory is named by %s', async (flags, expected) => {
    const { asked } = await yggctl(`messages list ${flags}`, { stopped: true });
    expect(asked.slice(0, expected.length)).toEqual(expected);
  });

  test('and its directory cannot be guessed', async () => {
    const { error } = await yggctl('messages list --runtime-dir /r', { stopped: true });
    expect(error).toMatchObject({
      code: 'YGG_NOT_RUNNING',
      message: expect.stringContaining('a stopped one is found by --state-dir'),
    });
  });
});

describe('messages', () => {
  test('are asked for as they were filtered', async () => {
    const line =
      'messages list --directive echo --state done --state dead --since 10m --until 2026-11-20T12:00:00Z --limit 5';
    expect((await yggctl(line)).asked).toContainEqual({
      directive: 'echo',
      states: ['done', 'dead'],
      since: start - 10 * minute,
      until: Date.UTC(2026, 10, 20, 12),
      limit: 5,
    });
  });

  test.each(['--state lost', '--since yesterday', '--limit 0', '--limit 1001', '--format xml'])(
    'are not listed with %s',
    async (flags) => {
      const { error, err, asked } = await yggctl(`messages list ${flags}`);
      expect(error).toMatchObject({ exitCode: 1 });
      expect(err).toContain('error:');
      expect(asked).toEqual([]);
    },
  );

  test('are a table for people and lines for programs', async () => {
    expect((await yggctl('messages list')).out).toBe(
      `NUMBER  ID                                    DIRECTIVE  STATE  QUEUED               UPDATED              ATTEMPTS  REASON
     7  0f0a7a4e-8d0e-4a57-9b43-2f1b8d0d0c05  echo       dead   2026-11-20 09:55:00  2026-11-20 09:59:00         0  no-worker
`,
    );
    const { out } = await yggctl('messages list --format json', {
      control: { listMessages: () => these(record, record) },
    });
    const lines = out.trimEnd().split('\n');
    expect(lines).toHaveLength(2);
    expect(JSON.parse(lines[0] ?? '')).toEqual({
      number: 7,
      kind: 'request',
      message_id: record.messageId,
      response_to: '',
      directive: 'echo',
      state: 'dead',
      reason: 'no-worker',
      explanation: 'None came.',
      report: 'reported',
      size: 2_048,
      queued: new Date(record.queuedAt).toISOString(),
      started: null,
      updated: new Date(record.updatedAt).toISOString(),
      attempts: 0,
      cancel: false,
      origin: 'broker',
      redelivery: '',
    });
  });

  test('that are none are nothing, with a word at a terminal', async () => {
    const control = { listMessages: () => these<MessageRecord>() };
    expect(await yggctl('messages list', { control })).toMatchObject({ out: '', err: '' });
    expect(await yggctl('messages list', { control, terminal: true })).toMatchObject({
      err: 'no messages\n',
    });
  });

  test.each([
    ['7', { sequence: 7, messageId: '' }],
    ['0f0a7a4e-8d0e', { sequence: 0, messageId: '0f0a7a4e-8d0e' }],
  ])('are named by number or id: %s', async (id, key) => {
    expect((await yggctl(`messages show ${id}`)).asked).toContainEqual(key);
  });

  test('are shown without their content', async () => {
    const { out } = await yggctl('messages show 7');
    expect(out).toBe(`number     7
id         0f0a7a4e-8d0e-4a57-9b43-2f1b8d0d0c05
kind       request
directive  echo
state      dead
reason     no-worker: None came.
reported   reported
size       2 KiB
came from  broker
queued     2026-11-20 09:55:00
updated    2026-11-20 09:59:00
attempts   0
`);
  });

  test('are shown with it when that is asked for, big integers as they are', async () => {
    const text = await yggctl('messages show 7 --content');
    expect(text.out).toMatch(/\n\nMETADATA\na=b\n\nCONTENT\n{\n {2}"n": 12345678901234567890\n}\n$/);
    const json = await yggctl('dead-letters show 7 --content --format json');
    expect(json.out).toContain('"metadata":{"a":"b"},"content":{"n":12345678901234567890}}\n');
    expect(JSON.parse(json.out)).toMatchObject({ number: 7 });
  });

  test('with a content that is no text is base64 for programs, and a word for people', async () => {
    const control = { content: () => these({ metadata: {}, content: Buffer.from([0xff, 0x00]) }) };
    expect((await yggctl('messages show 7 --content', { control })).out).toContain(
      '2 bytes that are no text',
    );
    const { out } = await yggctl('messages show 7 --content --format json', { control });
    expect(JSON.parse(out)).toMatchObject({ content_base64: '/wA=' });
  });
});

describe('dead letters', () => {
  test('several are put back or dropped at once, each told', async () => {
    const retried = await yggctl('dead-letters retry 7 some-id');
    expect(retried.asked).toContainEqual({ sequence: 7, messageId: '' });
    expect(retried.asked).toContainEqual({ sequence: 0, messageId: 'some-id' });
    expect(retried.out.split('\n')[0]).toBe(`${record.messageId} for echo is tried again, as number 8`);
    const dropped = await yggctl('dead-letters drop 7 --format json');
    expect(JSON.parse(dropped.out)).toMatchObject({ message_id: record.messageId });
  });
});

describe('dispatch', () => {
  const answered: DispatchProgress = {
    ...progress,
    state: 'answered',
    messageId: 'a',
    content: Buffer.from('{"n":1}'),
  };
  const done: DispatchProgress = { ...progress, state: 'done' };

  test('takes its content from a file or standard input, and prints the answer as it came', async () => {
    const control = { dispatch: () => these(progress, answered, done) };
    expect(await yggctl('dispatch echo file', { control })).toMatchObject({ out: '{"n":1}\n', err: '' });
    const asked = async (line: string, stdin = '') =>
      (await yggctl(line, { stdin })).asked.find((each) => typeof each === 'object');
    const request = { directive: 'echo', metadata: { a: 'b' }, content: Buffer.from('"content of file"') };
    expect(await asked('dispatch echo file --metadata a=b')).toEqual(request);
    expect(await asked('dispatch echo -', 'typed')).toMatchObject({ content: Buffer.from('typed') });
    expect(await asked('dispatch echo')).toMatchObject({ content: new Uint8Array() });
  });

  test('tells its way at a terminal, and as lines to programs', async () => {
    const accepted: DispatchProgress = { ...progress, state: 'accepted', pid: 71, attempts: 1 };
    const working: DispatchProgress = {
      ...progress,
      state: 'working',
      content: Buffer.from('1 of 2\n2 of \u001b2\n'),
    };
    const control = { dispatch: () => these(progress, accepted, working, answered, done) };
    const { err } = await yggctl('dispatch echo', { control, terminal: true });
    expect(err).toBe(
      'm is on its way to echo\nprocess 71 accepted it, attempt 1\n1 of 2\n2 of \\u001b2\necho answered after 0 ms\n',
    );
    const { out } = await yggctl('dispatch echo --format json', { control });
    expect(out.trimEnd().split('\n')).toEqual([
      '{"state":"queued","message_id":"m","number":7,"attended":true}',
      '{"state":"accepted","message_id":"m","number":7,"pid":71,"attempts":1}',
      '{"state":"working","message_id":"m","number":7,"metadata":{},"content_base64":"MSBvZiAyCjIgb2YgGzIK"}',
      '{"state":"answered","message_id":"a","number":7,"metadata":{},"content":{"n":1}}',
      '{"state":"done","message_id":"m","number":7}',
    ]);
  });

  test('that dies is a failure with its reason', async () => {
    const dead: DispatchProgress = { ...progress, state: 'dead', reason: 'refused', explanation: 'No.' };
    const { error } = await yggctl('dispatch echo', { control: { dispatch: () => these(progress, dead) } });
    expect(error).toMatchObject({ code: 'YGG_GIVEN_UP', message: 'It was given up: refused: No.' });
  });

  test('that takes too long says where it is, and how to look for it', async () => {
    const clock = new HandClock(start);
    async function* endless(_request: unknown, abort: AbortSignal): AsyncIterable<DispatchProgress> {
      yield { ...progress, attended: false };
      setImmediate(() => clock.wind(2 * minute));
      await new Promise((resolve) => abort.addEventListener('abort', resolve));
    }
    const world = { control: { dispatch: endless }, terminal: true, clock };
    const { error, err } = await yggctl('dispatch echo --timeout 2m', world);
    expect(err).toBe('m waits: there is no worker for echo\n');
    expect(error).toMatchObject({
      code: 'YGG_NO_ANSWER',
      message: expect.stringMatching(/^No end after 120 s: it waits\. .*"yggctl messages show m"/),
    });
  });

  test('need not be waited for', async () => {
    const control = { dispatch: () => these(progress, done) };
    expect(await yggctl('dispatch echo --no-wait', { control })).toMatchObject({
      out: 'm\n',
      error: undefined,
    });
  });
});

describe('listen', () => {
  test('prints a line for each event', async () => {
    const events: DaemonEvent[] = [
      { ...event, name: 'listening', sequence: 0, messageId: '', directive: '' },
      event,
      { ...event, name: 'message-dead', outcome: 'refused', explanation: 'It said\nno.' },
      { ...event, name: 'events-dropped', sequence: 0, messageId: '', directive: '', dropped: 12 },
    ];
    const control = { events: () => these(...events) };
    expect((await yggctl('listen', { control })).out).toBe(`10:00:00.000  data-recv          echo  m  number 7
10:00:00.000  message-dead       echo  m  number 7  refused  It said\\nno.
10:00:00.000  events-dropped     12 events were dropped, they were not read in time
`);
    const { out } = await yggctl('listen --format json', { control });
    expect(JSON.parse(out.split('\n')[1] ?? '')).toEqual({
      at: new Date(start).toISOString(),
      name: 'data-recv',
      number: 7,
      message_id: 'm',
      directive: 'echo',
    });
  });

  test('ends well when it is interrupted', async () => {
    async function* endless(abort: AbortSignal): AsyncIterable<DaemonEvent> {
      await new Promise((resolve) => abort.addEventListener('abort', resolve));
    }
    const { error, asked } = await yggctl('listen', {
      control: { events: endless },
      interrupted: new Promise((resolve) => setImmediate(resolve)),
    });
    expect(error).toBeUndefined();
    expect(asked.at(-1)).toBe('close');
  });
});

describe('a restart', () => {
  test('is wanted at once, unless it is to wait for idle workers', async () => {
    const { out, asked } = await yggctl('restart');
    expect(out).toBe('yggd ends; 2 messages are in hand\n');
    expect(asked).toContainEqual({ whenIdle: false, idleFor: 30_000, within: 3_600_000 });
  });

  test('that waits says until when', async () => {
    const { out, asked } = await yggctl('restart --when-idle --idle-for 1m --within 10m');
    expect(out).toBe(
      `yggd ends when its workers are idle, at the latest at ${dateAndTime(1_795_174_386_518)}; 2 messages are in hand\n`,
    );
    expect(asked).toContainEqual({ whenIdle: true, idleFor: 60_000, within: 600_000 });
    const json = JSON.parse((await yggctl('restart --when-idle --format json')).out);
    expect(json).toEqual({ latest: new Date(1_795_174_386_518).toISOString(), in_hand: 2 });
  });

  test('that is wanted shows in the status', async () => {
    const control = { status: async () => ({ ...status, restartAt: 1_795_174_386_518 }) };
    expect((await yggctl('status', { control })).out).toContain(
      `\nrestart       when its workers are idle, at the latest at ${dateAndTime(1_795_174_386_518)}\n`,
    );
    expect((await yggctl('status')).out).not.toContain('\nrestart ');
  });
});

describe('without a restart', () => {
  test('the log level is any of the five, in any case', async () => {
    const { out, asked } = await yggctl('log-level DEBUG');
    expect(asked).toContain('debug');
    expect(out).toBe('the log level is debug until the next reload or restart\n');
    expect((await yggctl('log-level loud')).error).toMatchObject({ exitCode: 1 });
  });

  test('a reload says what holds now and what needs a restart', async () => {
    const control = {
      reload: async () => ({ applied: ['log-level'], needRestart: ['broker', 'worker-window'] }),
    };
    expect((await yggctl('reload', { control })).out).toBe(
      'reloaded\nchanged: log-level\nchanged, and holds after a restart: broker, worker-window\n',
    );
    const failing = { reload: () => Promise.reject(new YggError('YGG_CONFIG', 'config.toml:1:1')) };
    expect((await yggctl('reload', { control: failing })).error).toMatchObject({ code: 'YGG_CONFIG' });
  });
});
