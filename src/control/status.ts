/**
 * How the daemon is, in one answer.
 */
import {
  type Alarm,
  type BrokerStatus,
  type DaemonStatus,
  type DirectiveStatus,
  type DiskStatus,
  type FillStatus,
  mostDirectives,
} from '../control-api.ts';
import type { Counters } from '../counters.ts';
import type { Datastore } from '../datastore.ts';
import type { Gauge, Journal } from '../journal/journal.ts';
import type { LinkState } from '../mqtt/broker-link.ts';
import { loadByDirective, workerStatuses } from './workers.ts';

export interface StatusDeps {
  /** What does not change while it runs. */
  readonly identity: Pick<DaemonStatus, 'version' | 'clientId' | 'pid' | 'startedAt'>;
  readonly datastore: Datastore;
  readonly journal: Pick<Journal, 'inbox' | 'outbox' | 'dead'>;
  readonly counters: Pick<Counters, 'all'>;
  /** `undefined` for a daemon without a broker. */
  readonly link: () => LinkState | undefined;
  readonly disk: () => DiskStatus;
  readonly alarms: () => readonly Alarm[];
  readonly logLevel: () => string;
  readonly restartAt: () => number;
}

export function daemonStatus(deps: StatusDeps): DaemonStatus {
  const { identity, journal, counters, link, disk, alarms, logLevel, restartAt } = deps;
  let offered = 0;
  let inHand = 0;
  for (const load of loadByDirective(deps).values()) {
    offered += load.offered;
    inHand += load.inHand;
  }
  const inbox = journal.inbox.fill();
  return {
    ...identity,
    logLevel: logLevel(),
    broker: brokerStatus(link()),
    disk: disk(),
    inbox: fillStatus(inbox),
    outbox: fillStatus(journal.outbox.fill()),
    waiting: Math.max(0, inbox.messages - offered - inHand),
    offered,
    inHand,
    dead: journal.dead.count,
    workers: workerStatuses(deps),
    unattended: unattended(deps),
    alarms: alarms(),
    counters: counters.all(),
    restartAt: restartAt(),
  };
}

function brokerStatus(link: LinkState | undefined): BrokerStatus {
  return {
    state: link?.kind ?? '',
    since: link?.since ?? 0,
    url: link?.kind === 'connected' ? link.broker : '',
    reason: link?.kind === 'waiting' ? link.reason : '',
    nextAttempt: link?.kind === 'waiting' ? link.until : 0,
  };
}

function fillStatus({ messages, bytes, limit }: Gauge): FillStatus {
  return { messages, bytes, messageLimit: limit.messages, byteLimit: limit.bytes };
}

function unattended({ datastore, journal }: StatusDeps): DirectiveStatus[] {
  const found: DirectiveStatus[] = [];
  for (const directive of journal.inbox.directives()) {
    if (datastore.workers.get(directive)) continue;
    found.push({ directive, waiting: journal.inbox.fill(directive).messages });
    if (found.length === mostDirectives) break;
  }
  return found;
}
