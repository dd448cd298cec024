/**
 * What the parts share in memory: the workers, the processes, and the working set of requests.
 *
 * Owns three collections behind typed functions: two of lokijs, and a plain one for messages, which come and go by the
 * thousand (docs/decisions/0014-a-plain-working-set.md). Holds nothing that must survive, the journal does that. Documents
 * are live: a part that owns a field changes it in place.
 */
import Loki from 'lokijs';
import type { Redelivery, RequestState } from './journal/journal.ts';

/** A registered worker. Owned by the Dispatcher. */
export interface Worker {
  /** The directive it takes; unique. */
  readonly handler: string;
  readonly pid: number;
  /** Its worker file, or empty when somebody else started it. */
  readonly file: string;
  readonly features: Readonly<Record<string, string>>;
  /** Whether it wants detached content: the body of a GET on the URL in `content`. */
  readonly detached: boolean;
  readonly redelivery: Redelivery;
  /** How many messages it may be given before one is answered; the directive's slots. */
  readonly slots: number;
  /** Milliseconds an accepted message may stay unanswered. */
  readonly timeout: number;
  /** Milliseconds since the epoch. */
  readonly registeredAt: number;
  /** What its own checks say; only attached workers tell. */
  health?: readonly WorkerHealth[];
}

export interface WorkerHealth {
  readonly name: string;
  readonly healthy: boolean;
  /** JSON, or empty. */
  readonly status: string;
}

/** A worker program that is kept running. Owned by the ProcessManager. */
export interface WorkerProcess {
  /** Absolute path of the worker file; unique. */
  readonly file: string;
  /** Of the run under way or to come; read anew before each start. */
  config: WorkerConfig;
  /** 0 while none runs. */
  pid: number;
  state: 'starting' | 'registered' | 'waiting' | 'failing' | 'stopping' | 'refused';
  /** Milliseconds since the epoch of the last start; 0 before the first. */
  startedAt: number;
  restarts: number;
  /** Why it is not running, for people. */
  reason: string;
}

/** `<config-dir>/workers/<name>.toml`, what it leaves out filled in. */
export interface WorkerConfig {
  /** `NAME=value`, checked. */
  readonly env: readonly string[];
  /** Names of whom it runs as; not set: as the daemon. */
  readonly user: string | undefined;
  readonly group: string | undefined;
  /** Handlers the worker may register; empty: any that is free. */
  readonly handlers: readonly string[];
  /** Not set: what the worker says, else `until-accepted`. */
  readonly redelivery: Redelivery | undefined;
  /** Not set: `worker-window`. */
  readonly concurrency: number | undefined;
  /** Milliseconds. */
  readonly timeout: number;
}

/** A request of the working set. Added by the Router at admission, removed by whoever settles it. */
export interface WorkingMessage {
  /** Journal sequence; unique. A message id may repeat. */
  readonly sequence: number;
  readonly messageId: string;
  readonly directive: string;
  /** A cancel runs in its own lane and takes no slot. */
  readonly cancel: boolean;
  /** Bytes of its content. */
  readonly size: number;
  state: RequestState;
  /** Whether it still takes one of its directive's slots. */
  slot: boolean;
}

export interface Datastore {
  readonly workers: Collection<Worker, string>;
  readonly processes: Collection<WorkerProcess, string>;
  readonly messages: Collection<WorkingMessage, number>;
}

export interface Collection<Doc, Key> {
  /** Throws when a document with the same key is there. */
  add(doc: Doc): Doc;
  get(key: Key): Doc | undefined;
  /** Says whether it was there. */
  remove(key: Key): boolean;
  all(): readonly Doc[];
  readonly size: number;
}

export function createDatastore(): Datastore {
  const loki = new Loki('working-set', { adapter: new Loki.LokiMemoryAdapter(), autosave: false });
  return {
    workers: collection<Worker, string>(loki, 'workers', 'handler'),
    processes: collection<WorkerProcess, string>(loki, 'processes', 'file'),
    messages: plainCollection('messages', ({ sequence }) => sequence),
  };
}

/** `unique` and never `indices`: a binary index makes removing ten times as dear. */
function collection<Doc extends object, Key extends string | number>(
  loki: Loki,
  name: string,
  key: keyof Doc & string,
): Collection<Doc, Key> {
  const docs = loki.addCollection<Doc>(name, { unique: [key as keyof Doc], disableMeta: true });
  return {
    add(doc) {
      const added = docs.insert(doc);
      if (Array.isArray(added) || added === undefined) throw new TypeError(`${name}: expected one document`);
      return added;
    },
    get: (value) => docs.by(key as keyof Doc, value as Doc[keyof Doc]),
    remove(value) {
      const doc = docs.by(key as keyof Doc, value as Doc[keyof Doc]);
      if (!doc) return false;
      docs.remove(doc);
      return true;
    },
    all: () => docs.data,
    get size() {
      return docs.count();
    },
  };
}

function plainCollection<Doc, Key>(name: string, keyOf: (doc: Doc) => Key): Collection<Doc, Key> {
  const docs = new Map<Key, Doc>();
  return {
    add(doc) {
      const key = keyOf(doc);
      if (docs.has(key)) throw new TypeError(`${name}: Duplicate key ${key}`);
      docs.set(key, doc);
      return doc;
    },
    get: (key) => docs.get(key),
    remove: (key) => docs.delete(key),
    all: () => [...docs.values()],
    get size() {
      return docs.size;
    },
  };
}
