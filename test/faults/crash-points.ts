/**
 * Named points of the built daemon at which it can be made to end itself as if killed: `YGGD_CRASH_AT=name:count:ms`
 * ends it when it has come to that point for the count-th time, so many milliseconds later.
 */
import type { Edit } from './instrumented.ts';

interface CrashPoint extends Edit {
  readonly name: string;
}

function before(name: string, file: string, find: string): CrashPoint {
  return { name, file, find, put: `reached('${name}'); $&` };
}

function after(name: string, file: string, find: string): CrashPoint {
  return { name, file, find, put: `$& reached('${name}');` };
}

/** In the order in which a message comes by. */
const points: readonly CrashPoint[] = [
  before('replay', 'src/dispatcher/leftovers', 'settle(deps, row);'),
  before('receive', 'src/message-router/intake', "this.#deps.counters.count('messages_received');"),
  after('commit-before', 'src/journal/write-ahead-store', 'this.#isAppending = true;'),
  after('commit-after', 'src/journal/log-segment', 'await this.file.write(pieces, this.#size);'),
  after('flush-after', 'src/journal/log-segment', 'this.#flushedRecords = records;'),
  before('segment-begun', 'src/journal/write-ahead-store', 'return this.#active;'),
  after('checkpoint-step', 'src/journal/checkpoints', 'await this.#write(writes, before).committed;'),
  before('checkpoint-after', 'src/journal/checkpoints', 'this.#segments.shift();'),
  before('puback-before', 'src/mqtt/mqtt-connection', 'this.#filter.send(puback(packetId));'),
  after('puback-after', 'src/mqtt/packet-filter', 'this.#socket.write(Buffer.concat(pieces));'),
  before('admission', 'src/message-router/admission', 'this.#slots.occupy(lane, row.sequence, row.size);'),
  before(
    'admitted-offered',
    'src/message-router/admission',
    'const facts = { sequence, messageId, directive,',
  ),
  before('fetch-after', 'src/data-processor/fetches', 'journal.inbox.fetched('),
  before('hand-over-before', 'src/dispatcher/lane', "job.phase = 'calling';"),
  after('hand-over-during', 'src/dispatcher/unary-link', 'this.#connection.call.send(message, done);'),
  before('hand-over-after', 'src/dispatcher/lane', "if (outcome.kind === 'accepted')"),
  before('answer-taken', 'src/dispatcher/returns', 'const receipt = journal.outbox.respond('),
  after(
    'outbox-before',
    'src/dispatcher/returns',
    'const receipt = journal.outbox.respond(responseOf(data, handler), finished?.doc.sequence);',
  ),
  before('outbox-after', 'src/dispatcher/returns', "counters.count('responses_returned');"),
  before('send-answered', 'src/dispatcher/returns', "signals.nudge('data-return', { sequence });"),
  before('frame-taken', 'src/rpc/attach-stream', 'this.#receiver.onFrame(frame);'),
  before('hello', 'src/dispatcher/attached-process', 'const claimed = await claimHandlers('),
  before('frame-before', 'src/rpc/attach-stream', 'this.#call.write('),
  after(
    'frame-after',
    'src/rpc/attach-stream',
    'this.#call.write(this.#method.responseSerialize(frame), () => this.#onWritten());',
  ),
  before(
    'recorded',
    'src/dispatcher/attached-outcomes',
    'settler.announce(job, job.worker); if (job.worker.facts',
  ),
  before('answer-attached', 'src/dispatcher/attached-answers', 'const { sequence, flushed } = returns.keep('),
  after('answer-kept', 'src/dispatcher/attached-answers', 'this.#writing.add(flushed, writing);'),
  before('receipt', 'src/dispatcher/attached-answers', 'writing.receipted = true;'),
  before('settled', 'src/dispatcher/attached-outcomes', 'settler.answered(job);'),
  before('publish-before', 'src/message-router/publishing', "publish('data/out', payload).then("),
  before('publish-after', 'src/message-router/publishing', 'outbox.remove(row.sequence);'),
  after('removed', 'src/message-router/publishing', 'outbox.remove(row.sequence);'),
  before('post-after', 'src/data-processor/posts', 'journal.outbox.remove(sequence);'),
  before('drain', 'src/lifecycle', 'const overtime = new AbortController();'),
];

/** Reached only while the daemon is stopping. */
export const stopPoints: readonly string[] = ['drain'];

/** Reached only by what is posted, or only by what is published. */
const postPoints = ['post-after'];
const publishPoints = ['publish-before', 'publish-after', 'removed'];

/** Reached only by what is fetched, or only by what is offered as it arrives. */
const fetchPoints = ['fetch-after'];
const directPoints = ['admitted-offered'];

/** Reached only on the way to and from plain workers, or only on that of attached ones. */
const plainPoints = [
  'hand-over-during',
  'hand-over-after',
  'answer-taken',
  'outbox-before',
  'outbox-after',
  'send-answered',
];
const attachedPoints = [
  'frame-taken',
  'hello',
  'frame-before',
  'frame-after',
  'recorded',
  'answer-attached',
  'answer-kept',
  'receipt',
  'settled',
];

export interface Way {
  /** How answers leave. */
  readonly via: 'mqtt' | 'http';
  /** Whether contents are fetched. */
  readonly detached: boolean;
  readonly attached: boolean;
}

/** Reached while messages come and go. */
export function runningPoints({ via, detached, attached }: Way): readonly string[] {
  const others = [
    ...stopPoints,
    ...(via === 'mqtt' ? postPoints : publishPoints),
    ...(detached ? directPoints : fetchPoints),
    ...(attached ? plainPoints : attachedPoints),
  ];
  return points.map(({ name }) => name).filter((name) => !others.includes(name));
}

const reached = `
const [name, count, ms] = (process.env['YGGD_CRASH_AT'] ?? '').split(':');
const end = () => process.kill(process.pid, 'SIGKILL');
let left = Number(count);
globalThis.reached = (point) => {
  if (point !== name || --left !== 0) return;
  if (ms === '0') end();
  else setTimeout(end, Number(ms));
};`;

/** Checkpoints come after dozens of messages, not thousands, and take several transactions. */
const smallSegments: Edit = {
  file: 'src/journal/write-ahead-store',
  find: 'words: 131_072, bytes: 2 * mebibyte, files: 8, size: 4 * mebibyte, step: 256,',
  put: 'words: 128, bytes: mebibyte, files: 4, size: 16 * 1024, step: 16,',
};

/** The edits that put the points in. */
export const crashPoints: readonly Edit[] = [
  ...points,
  smallSegments,
  { file: 'src/base/errors', find: 'export const errorTable', put: `${reached}\n$&` },
];

/** Environment of a daemon with these edits. */
export function crashAt(name: string, count: number, ms = 0): NodeJS.ProcessEnv {
  return { ...process.env, YGGD_CRASH_AT: `${name}:${count}:${ms}` };
}
