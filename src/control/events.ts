/**
 * What happens in the daemon, live, for those who watch.
 *
 * Costs nothing while nobody does. Whoever reads too slowly loses the oldest, and is told how many.
 */
import type { Clock } from '../base/clock.ts';
import { cut } from '../base/printable.ts';
import { Channel } from '../channel.ts';
import type { DaemonEvent } from '../control-api.ts';
import type { Counters } from '../counters.ts';
import type { Datastore } from '../datastore.ts';
import type { DeadLetter, Journal } from '../journal/journal.ts';
import type { SignalMap, SignalName, Signals } from '../signals.ts';

export interface EventsDeps {
  readonly signals: Pick<Signals, 'observe'>;
  readonly datastore: Pick<Datastore, 'messages'>;
  readonly journal: Pick<Journal, 'messages' | 'dead' | 'onTrouble'>;
  readonly counters: Pick<Counters, 'count'>;
  readonly clock: Pick<Clock, 'now'>;
  /** Events kept for one who reads slowly; not set: 1,024. */
  readonly capacity?: number;
}

/** Characters that are told of what a worker says about its progress. */
const longestProgress = 200;

type Facts = Partial<Omit<DaemonEvent, 'at' | 'name'>>;

/** How each signal is told; one that is not here is nobody's affair outside. */
type Tellers = { readonly [Name in SignalName]?: (payload: SignalMap[Name]) => Facts };

const nothing: Omit<DaemonEvent, 'at' | 'name'> = {
  sequence: 0,
  messageId: '',
  responseTo: '',
  directive: '',
  pid: 0,
  file: '',
  attempts: 0,
  outcome: '',
  explanation: '',
  dropped: 0,
};

/** Begins with an event `listening`: nothing that happens after it is missed, but for what is dropped. */
export async function* watch(deps: EventsDeps, abort: AbortSignal): AsyncIterable<DaemonEvent> {
  const { signals, journal, counters, clock, capacity = 1_024 } = deps;
  const feed = new Channel<DaemonEvent>({ capacity });
  let dropped = 0;

  function tell(name: string, facts: Facts): void {
    const event = { ...nothing, ...facts, at: clock.now(), name };
    if (feed.trySend(event) || feed.closed) return;
    feed.dropOldest();
    feed.trySend(event);
    dropped += 1;
    counters.count('events_dropped');
  }

  const end = (): void => feed.close();
  abort.addEventListener('abort', end, { once: true });
  if (abort.aborted) end();
  const stops = [
    ...observe(signals, tellers(deps), tell),
    journal.dead.onDead((letter) => tell('message-dead', deadFacts(letter))),
    journal.onTrouble((trouble) => tell('disk-trouble', { outcome: trouble ?? 'over' })),
  ];
  try {
    tell('listening', {});
    for await (const event of feed) {
      if (dropped > 0) {
        yield { ...nothing, at: event.at, name: 'events-dropped', dropped };
        dropped = 0;
      }
      yield event;
    }
  } finally {
    for (const stop of stops) stop();
    abort.removeEventListener('abort', end);
  }
}

function observe(
  signals: EventsDeps['signals'],
  table: Tellers,
  tell: (name: string, facts: Facts) => void,
): Array<() => void> {
  const observeOne = <Name extends SignalName>(name: Name): (() => void) | undefined => {
    const teller = table[name];
    return teller && signals.observe(name, (payload) => tell(name, teller(payload)));
  };
  const names = Object.keys(table) as SignalName[];
  return names.map(observeOne).filter((stop) => stop !== undefined);
}

function tellers({ datastore, journal }: EventsDeps): Tellers {
  /** A request in the working set, or what the journal still knows of a message. */
  const named = (sequence: number): Facts => {
    const doc = datastore.messages.get(sequence);
    if (doc) return { sequence, messageId: doc.messageId, directive: doc.directive };
    const record = journal.messages.get(sequence);
    if (!record) return { sequence };
    const { messageId, responseTo, directive } = record;
    return { sequence, messageId, responseTo, directive };
  };
  return {
    'inbox-add': ({ sequence }) => named(sequence),
    'data-recv': ({ sequence, cancel }) => ({ ...named(sequence), outcome: cancel ? 'cancel' : '' }),
    'data-dispatch': ({ sequence, messageId, directive, pid, attempt }) => ({
      ...{ sequence, messageId, directive, pid, attempts: attempt },
    }),
    'message-progress': ({ sequence, messageId, directive, data }) => ({
      ...{ sequence, messageId, directive },
      explanation: cut(Buffer.from(data).toString('utf8'), longestProgress),
    }),
    'message-settle': ({ sequence, directive, outcome }) => ({ ...named(sequence), directive, outcome }),
    'message-cancel': ({ directive, messageId }) => ({ directive, messageId }),
    'data-return': ({ sequence }) => named(sequence),
    'message-send': ({ sequence, messageId }) => ({ sequence, messageId }),
    'worker-register': ({ handler, pid, file }) => ({ directive: handler, pid, file }),
    'worker-unregister': ({ handler, pid, file }) => ({ directive: handler, pid, file }),
    'process-spawn': ({ file, pid }) => ({ file, pid }),
    'process-die': ({ file, pid, exitCode, signal, asked }) => ({
      file,
      pid,
      outcome: signal ?? `status ${exitCode}`,
      explanation: asked ? 'it was stopped' : 'it ended by itself',
    }),
    'client-connect': ({ broker, restored }) => ({
      outcome: restored ? 'restored' : 'first',
      explanation: broker,
    }),
    'client-disconnect': ({ asked }) => ({ outcome: asked ? 'asked' : 'lost' }),
    'topic-subscribe': ({ broker }) => ({ explanation: broker }),
  };
}

function deadFacts({
  sequence,
  messageId,
  responseTo,
  directive,
  attempt,
  reason,
  message,
}: DeadLetter): Facts {
  return {
    ...{ sequence, messageId, responseTo, directive },
    attempts: attempt,
    outcome: reason,
    explanation: message,
  };
}
