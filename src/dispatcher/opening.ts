/**
 * What happens between the hello and the welcome of an attached process: its handlers are claimed, what both sides have
 * on the books is compared, what only one of them knows is decided on.
 */
import { codeOf, reasonOf } from '../base/errors.ts';
import {
  type HandlerGrant,
  type HandlerOffer,
  type HandlerRefusal,
  type Hello,
  redeliveries,
} from '../rpc/attach-frames.ts';
import type { AttachStream } from '../rpc/attach-stream.ts';
import type { AttachedProcess } from './attached-process.ts';
import type { AttachDeps } from './attachments.ts';
import type { LiveWorker } from './live-worker.ts';
import type { Offer } from './registry.ts';
import { adopt, fateOf } from './reunion.ts';

export interface Claimed {
  readonly handlers: readonly HandlerGrant[];
  readonly refused: readonly HandlerRefusal[];
}

/** Claims the handlers one after the other; stops when the stream is not that of the moment any longer. */
export async function claimHandlers(
  deps: AttachDeps,
  process: AttachedProcess,
  { handlers: offers, inWork }: Hello,
  isCurrent: () => boolean,
): Promise<Claimed> {
  const handlers: HandlerGrant[] = [];
  const refused: HandlerRefusal[] = [];
  for (const offer of offers) {
    if (!isCurrent()) break;
    try {
      const { caller, identity, workers } = process;
      const claim = offerOf(offer, identity.pid);
      const worker = await deps.registry.attach(caller, claim, process, (entered) => {
        workers.set(offer.name, entered);
        adopt(deps, entered, inWork);
      });
      handlers.push(grantOf(worker));
    } catch (error) {
      refused.push({ name: offer.name, code: codeOf(error) ?? 'YGG_INTERNAL', reason: reasonOf(error) });
    }
  }
  return { handlers, refused };
}

/** Decides on every delivery that only one side knows of, and says of those the worker names what it needs to know. */
export function compareBooks(
  deps: AttachDeps,
  process: AttachedProcess,
  { inWork }: Hello,
  stream: AttachStream,
): void {
  const named = new Set(inWork);
  for (const worker of process.workers.values()) compareHands(deps, worker, named);
  for (const number of named) {
    const fate = process.find(number) ? undefined : fateOf(deps.journal, number);
    if (fate) stream.add(fate, number);
  }
}

/** What the worker does not know of never arrived; what it knows it goes on with. */
function compareHands({ laneOf }: AttachDeps, worker: LiveWorker, named: ReadonlySet<number>): void {
  for (const job of [...worker.hands.values()]) {
    const { sequence } = job.doc;
    if (job.answering || job.phase === 'offering') continue;
    if (named.has(sequence)) {
      if (job.calledOff) worker.link.cancel(job);
    } else if (job.accepted) {
      const reason = 'the worker took it upon itself and does not know of it.';
      laneOf(worker.handler).settle(job, { kind: 'unclear', reason });
    } else {
      laneOf(worker.handler).settle(job, { kind: 'not-sent', reason: 'it never arrived.' });
    }
  }
}

function offerOf(offer: HandlerOffer, pid: number): Offer {
  const { name, detached, features, redelivery, concurrency, accepts } = offer;
  const policy = redelivery === redeliveries['until-done'] ? 'until-done' : 'until-accepted';
  return {
    ...{ handler: name, pid, detachedContent: detached, features, accepts },
    redelivery: redelivery === redeliveries.unsaid ? undefined : policy,
    concurrency: concurrency > 0 ? concurrency : undefined,
  };
}

function grantOf({ facts }: LiveWorker): HandlerGrant {
  const { handler, slots, redelivery, timeout } = facts;
  return { name: handler, slots, redelivery: redeliveries[redelivery], timeoutMs: timeout };
}
