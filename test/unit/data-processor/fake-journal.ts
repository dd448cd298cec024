/** The inbox and outbox of a journal in memory, as far as the DataProcessor asks for them. */
import type { Clock } from '../../../src/base/clock.ts';
import type {
  DeadReason,
  Gauge,
  Journal,
  Receipt,
  RequestRow,
  ResponseBody,
  ResponseRow,
} from '../../../src/journal/journal.ts';

const done = Promise.resolve();

export interface Death {
  readonly reason: DeadReason;
  readonly message: string;
}

export interface FakeJournal extends Pick<Journal, 'inbox' | 'outbox' | 'contentDirectory'> {
  readonly requests: Map<number, RequestRow>;
  readonly responses: Map<number, ResponseRow>;
  readonly deaths: Map<number, Death>;
  /** What `body` of inbox and outbox no longer finds. */
  readonly damaged: Set<number>;
  /** Bytes the inbox says it holds; its limit is 1,000. */
  inboxBytes: number;
  addRequest(request: Partial<RequestRow> & { readonly directive: string }, content: string): RequestRow;
  addResponse(response: Partial<ResponseRow>, body?: Partial<ResponseBody>): ResponseRow;
}

function unasked(): never {
  throw new Error('the DataProcessor does not ask for this');
}

export function createFakeJournal(clock: Clock, contentDirectory: string): FakeJournal {
  const requests = new Map<number, RequestRow>();
  const contents = new Map<number, Uint8Array>();
  const responses = new Map<number, ResponseRow>();
  const bodies = new Map<number, ResponseBody>();
  const deaths = new Map<number, Death>();
  const damaged = new Set<number>();
  let last = 0;
  const receipt = (sequence: number): Receipt => ({ sequence, committed: done, flushed: done });
  const change = (sequence: number, changes: Partial<RequestRow>): Receipt => {
    const row = requests.get(sequence);
    if (!row) throw new Error(`no request ${sequence}`);
    requests.set(sequence, { ...row, ...changes });
    return receipt(sequence);
  };
  const fake: FakeJournal = {
    requests,
    responses,
    deaths,
    damaged,
    inboxBytes: 0,
    contentDirectory,
    addRequest(request, content) {
      const row: RequestRow = {
        sequence: ++last,
        messageId: `request-${last}`,
        cancel: false,
        origin: 'broker',
        state: 'received',
        size: content.length,
        contentFile: '',
        receivedAt: clock.now(),
        startedAt: 0,
        updatedAt: clock.now(),
        attempt: 0,
        workerDeaths: 0,
        daemonDeaths: 0,
        workerErrors: 0,
        internalErrors: 0,
        suspect: false,
        calledOff: false,
        redelivery: 'until-accepted',
        ...request,
      };
      requests.set(row.sequence, row);
      contents.set(row.sequence, Buffer.from(content));
      return row;
    },
    addResponse(response, body) {
      const row: ResponseRow = {
        sequence: ++last,
        messageId: `response-${last}`,
        responseTo: '',
        directive: '',
        handler: 'echo',
        kind: 'response',
        size: body?.content?.length ?? 0,
        returnedAt: clock.now(),
        failures: 0,
        closes: 0,
        ...response,
      };
      responses.set(row.sequence, row);
      bodies.set(row.sequence, { metadata: null, content: new Uint8Array(0), ...body });
      return row;
    },
    inbox: {
      receive: unasked,
      refuse: unasked,
      offer: unasked,
      accept: unasked,
      callOff: unasked,
      finish: unasked,
      find: unasked,
      waiting: unasked,
      cancels: unasked,
      unsettled: unasked,
      directives: unasked,
      waitingCount: unasked,
      fetched: (sequence, contentFile, size) => change(sequence, { state: 'fetched', contentFile, size }),
      back: (sequence) => change(sequence, { state: 'received' }),
      bury(sequence, reason, message) {
        if (!requests.delete(sequence)) throw new Error(`no request ${sequence}`);
        deaths.set(sequence, { reason, message });
        return receipt(sequence);
      },
      row: (sequence) => requests.get(sequence),
      body: (sequence) => {
        const content = damaged.has(sequence) ? undefined : contents.get(sequence);
        return content && { responseTo: '', metadata: null, content };
      },
      fill: (): Gauge => ({ messages: 0, bytes: fake.inboxBytes, limit: { messages: 1_000, bytes: 1_000 } }),
    },
    outbox: {
      respond: unasked,
      reports: unasked,
      fill: unasked,
      remove(sequence) {
        if (!responses.delete(sequence)) throw new Error(`no response ${sequence}`);
        return receipt(sequence);
      },
      charge(sequence, { failures = 0, closes = 0 }) {
        const row = responses.get(sequence);
        if (!row) throw new Error(`no response ${sequence}`);
        responses.set(sequence, { ...row, failures: row.failures + failures, closes: row.closes + closes });
        return receipt(sequence);
      },
      bury(sequence, reason, message) {
        if (!responses.delete(sequence)) throw new Error(`no response ${sequence}`);
        deaths.set(sequence, { reason, message });
        return receipt(sequence);
      },
      row: (sequence) => responses.get(sequence),
      body: (sequence) => (damaged.has(sequence) ? undefined : bodies.get(sequence)),
      responses: (after, limit) =>
        [...responses.values()]
          .filter((row) => row.sequence > after)
          .sort((a, b) => a.sequence - b.sequence)
          .slice(0, limit),
    },
  };
  return fake;
}
