/**
 * Who works: registered workers with what they have to do, and worker programs that have not registered.
 */
import type { WorkerStatus } from '../control-api.ts';
import type { Datastore, Worker, WorkerProcess } from '../datastore.ts';
import type { Journal } from '../journal/journal.ts';

export interface WorkersDeps {
  readonly datastore: Datastore;
  readonly journal: Pick<Journal, 'inbox'>;
}

/** What of the working set is with the workers, over all or of one directive. */
export interface Load {
  readonly offered: number;
  readonly inHand: number;
  /** When the oldest of them was offered; 0 when there is none. */
  readonly oldestAt: number;
}

const idle: Load = { offered: 0, inHand: 0, oldestAt: 0 };

export function workerStatuses(deps: WorkersDeps): WorkerStatus[] {
  const { workers, processes } = deps.datastore;
  const loads = loadByDirective(deps);
  const files = new Set<string>();
  const statuses = workers.all().map((worker) => {
    files.add(worker.file);
    const waiting = deps.journal.inbox.waitingCount(worker.handler);
    return registered(worker, processes.get(worker.file), {
      waiting,
      ...(loads.get(worker.handler) ?? idle),
    });
  });
  for (const process of processes.all()) if (!files.has(process.file)) statuses.push(unregistered(process));
  return statuses.sort((a, b) => compare(a.handler, b.handler) || compare(a.file, b.file));
}

export function loadByDirective({ datastore, journal }: WorkersDeps): ReadonlyMap<string, Load> {
  const loads = new Map<string, Load>();
  for (const { sequence, directive, state } of datastore.messages.all()) {
    if (state !== 'offered' && state !== 'in-hand') continue;
    const { offered, inHand, oldestAt } = loads.get(directive) ?? idle;
    const startedAt = journal.inbox.row(sequence)?.startedAt ?? 0;
    loads.set(directive, {
      offered: offered + (state === 'offered' ? 1 : 0),
      inHand: inHand + (state === 'in-hand' ? 1 : 0),
      oldestAt: oldestAt === 0 ? startedAt : Math.min(oldestAt, startedAt),
    });
  }
  return loads;
}

function registered(
  worker: Worker,
  process: WorkerProcess | undefined,
  load: Load & { readonly waiting: number },
): WorkerStatus {
  const { handler, pid, file, features, detached, redelivery, slots, registeredAt } = worker;
  return {
    handler,
    file,
    pid,
    state: process?.state === 'stopping' ? 'stopping' : 'registered',
    since: registeredAt,
    restarts: process?.restarts ?? 0,
    reason: '',
    features,
    detached,
    redelivery,
    slots,
    health: worker.health ?? [],
    ...load,
  };
}

function unregistered({
  file,
  pid,
  state,
  startedAt,
  restarts,
  reason,
  config,
}: WorkerProcess): WorkerStatus {
  return {
    handler: '',
    file,
    pid,
    state,
    since: startedAt,
    restarts,
    reason,
    features: {},
    detached: false,
    redelivery: config.redelivery ?? '',
    slots: 0,
    health: [],
    waiting: 0,
    ...idle,
  };
}

function compare(a: string, b: string): number {
  if (a === b) return 0;
  return a < b ? -1 : 1;
}
