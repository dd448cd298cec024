/**
 * How the daemon is, as people and as programs read it.
 */
import { inColumns } from '../base/columns.ts';
import { dateAndTime, sizeText, spanText } from '../base/time-text.ts';
import type { BrokerStatus, DaemonStatus, DiskStatus, FillStatus, WorkerStatus } from '../control-api.ts';
import { isoOrNull, timeOr } from './message-text.ts';

/** @param now milliseconds since the epoch */
export function statusLines(status: DaemonStatus, now: number): string[] {
  const { version, clientId, pid, startedAt, inbox, outbox, waiting, offered, inHand, dead } = status;
  const facts = inColumns([
    ['yggd', `${version}, process ${pid}, running ${since(startedAt, now)}`],
    ['host', clientId],
    ['broker', brokerText(status.broker, now)],
    ['disk', diskText(status.disk, now)],
    ['inbox', `${waiting} waiting, ${offered} being handed over, ${inHand} in hand (${fillText(inbox)})`],
    ['outbox', `${outbox.messages} to be delivered (${fillText(outbox)})`],
    ['dead letters', String(dead)],
    ['log level', status.logLevel],
    ...(status.restartAt > 0
      ? [['restart', `when its workers are idle, at the latest at ${dateAndTime(status.restartAt)}`]]
      : []),
  ]);
  const sections = [facts];
  if (status.alarms.length > 0) {
    sections.push(['ALARMS', ...status.alarms.map(({ at, sentence }) => `${dateAndTime(at)}  ${sentence}`)]);
  }
  sections.push(workerLines(status.workers, now));
  if (status.unattended.length > 0) {
    const rows = status.unattended.map(({ directive, waiting: count }) => [directive, String(count)]);
    sections.push(inColumns([['WITHOUT A WORKER', 'WAITING'], ...rows], [1]));
  }
  const counters = Object.entries(status.counters).map(([name, count]) => [name, String(count)]);
  sections.push(inColumns([['COUNTER', 'SINCE THE START'], ...counters], [1]));
  return sections.flatMap((section, index) => (index === 0 ? section : ['', ...section]));
}

/** A list with its heading. */
export function workerLines(workers: readonly WorkerStatus[], now: number): string[] {
  if (workers.length === 0) return ['No workers.'];
  const heading = [
    'WORKER',
    'STATE',
    'PROCESS',
    'SINCE',
    'WAITING',
    'IN HAND',
    'OLDEST',
    'RESTARTS',
    'FILE',
    'REASON',
  ];
  const rows = workers.map((worker) => [
    worker.handler || '-',
    worker.state,
    worker.pid > 0 ? String(worker.pid) : '-',
    timeOr(worker.since, '-'),
    String(worker.waiting),
    String(worker.offered + worker.inHand),
    worker.oldestAt > 0 ? spanText(now - worker.oldestAt) : '-',
    String(worker.restarts),
    worker.file || '-',
    worker.reason || unhealthyText(worker),
  ]);
  return inColumns([heading, ...rows], [2, 4, 5, 6, 7]);
}

function unhealthyText({ health }: WorkerStatus): string {
  const names = health.filter(({ healthy }) => !healthy).map(({ name }) => name);
  return names.length > 0 ? `unhealthy: ${names.join(', ')}` : '';
}

export function statusFields(status: DaemonStatus): Readonly<Record<string, unknown>> {
  const { broker, disk, alarms } = status;
  return {
    version: status.version,
    client_id: status.clientId,
    pid: status.pid,
    started: isoOrNull(status.startedAt),
    log_level: status.logLevel,
    broker: {
      state: broker.state,
      since: isoOrNull(broker.since),
      url: broker.url,
      reason: broker.reason,
      next_attempt: isoOrNull(broker.nextAttempt),
    },
    disk: { trouble: disk.trouble, since: isoOrNull(disk.since) },
    inbox: fillFields(status.inbox),
    outbox: fillFields(status.outbox),
    waiting: status.waiting,
    offered: status.offered,
    in_hand: status.inHand,
    dead: status.dead,
    workers: status.workers.map(workerFields),
    unattended: status.unattended.map(({ directive, waiting }) => ({ directive, waiting })),
    alarms: alarms.map(({ at, sentence }) => ({ at: isoOrNull(at), sentence })),
    counters: status.counters,
    restart_at: isoOrNull(status.restartAt),
  };
}

export function workerFields(worker: WorkerStatus): Readonly<Record<string, unknown>> {
  return {
    handler: worker.handler,
    file: worker.file,
    pid: worker.pid,
    state: worker.state,
    since: isoOrNull(worker.since),
    restarts: worker.restarts,
    reason: worker.reason,
    features: worker.features,
    detached: worker.detached,
    redelivery: worker.redelivery,
    slots: worker.slots,
    waiting: worker.waiting,
    offered: worker.offered,
    in_hand: worker.inHand,
    oldest: isoOrNull(worker.oldestAt),
    health: worker.health.map(({ name, healthy, status }) => ({ name, healthy, status })),
  };
}

const brokerWords: Readonly<Record<BrokerStatus['state'], string>> = {
  connected: 'connected',
  connecting: 'NOT CONNECTED',
  waiting: 'NOT CONNECTED',
  away: 'away, as it was told',
  leaving: 'leaving',
  '': 'none',
};

function brokerText({ state, url, since: at, reason, nextAttempt }: BrokerStatus, now: number): string {
  if (state === '') return brokerWords[state];
  const parts = [
    `${brokerWords[state]}${url === '' ? '' : ` to ${url}`} ${since(at, now)}`,
    reason,
    nextAttempt > now ? `tried again in ${spanText(nextAttempt - now)}` : '',
  ];
  return parts.filter((part) => part !== '').join('; ');
}

const diskWords: Readonly<Record<Exclude<DiskStatus['trouble'], ''>, string>> = {
  full: 'FULL',
  failing: 'FAILING',
  slow: 'SLOW',
};

function diskText({ trouble, since: at }: DiskStatus, now: number): string {
  if (trouble === '') return 'takes messages';
  return `${diskWords[trouble]} ${since(at, now)}: no message is taken until it is well again`;
}

function fillText({ messages, bytes, messageLimit, byteLimit }: FillStatus): string {
  return `${messages} of ${messageLimit}, ${sizeText(bytes)} of ${sizeText(byteLimit)}`;
}

function fillFields({
  messages,
  bytes,
  messageLimit,
  byteLimit,
}: FillStatus): Readonly<Record<string, unknown>> {
  return { messages, bytes, message_limit: messageLimit, byte_limit: byteLimit };
}

function since(at: number, now: number): string {
  return `since ${dateAndTime(at)} (${spanText(now - at)})`;
}
