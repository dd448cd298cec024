/** A journal without a disk, as far as the Dispatcher uses one, that writes down every transition. */
import { YggError } from '../../../src/base/errors.ts';
import type {
  DeadReason,
  Inbox,
  Journal,
  KnownId,
  NewRequest,
  NewResponse,
  Outbox,
  Receipt,
  RequestRow,
  ResponseRow,
} from '../../../src/journal/journal.ts';

type Writable<T> = { -readonly [Key in keyof T]: T[Key] };

interface Kept {
  readonly row: Writable<RequestRow>;
  readonly request: NewRequest;
}

const limit = { messages: 1000, bytes: 1_000_000 };

export class MemoryJournal implements Pick<Journal, 'contentDirectory' | 'cleanStart'> {
  contentDirectory = '';
  cleanStart = true;
  /** Every transition in order, as `offer 1`, `back 1 {"workerDeaths":1}`, `respond 7 finishes 1`. */
  readonly log: string[] = [];
  readonly rows: Map<number, Kept> = new Map();
  readonly responses: Array<NewResponse & { readonly sequence: number }> = [];
  readonly ids: Map<string, KnownId> = new Map();
  /** By sequence. */
  readonly deaths: Map<number, { readonly reason: DeadReason; readonly message: string }> = new Map();
  /** Set: adds are refused with it. */
  refusal: YggError | undefined;
  outboxFull = false;
  outboxFill = 0;
  /** Set: nothing is flushed before it resolves. */
  gate: Promise<void> | undefined;
  #sequence = 0;

  /** A request in the inbox; what the Router would have added. */
  add(request: Partial<NewRequest> = {}, row: Partial<RequestRow> = {}): number {
    this.#sequence += 1;
    const sequence = this.#sequence;
    const whole: NewRequest = {
      messageId: `id-${sequence}`,
      responseTo: '',
      directive: 'echo',
      metadata: null,
      content: Buffer.from('"hello"'),
      cancel: false,
      origin: 'broker',
      ...request,
    };
    const { messageId, directive, cancel, origin, content } = whole;
    this.rows.set(sequence, {
      request: whole,
      row: {
        ...{ sequence, messageId, directive, cancel, origin, state: 'received', size: content.length },
        ...{ contentFile: '', receivedAt: 0, startedAt: 0, updatedAt: 0, attempt: 0, workerDeaths: 0 },
        ...{
          daemonDeaths: 0,
          workerErrors: 0,
          internalErrors: 0,
          suspect: false,
          calledOff: false,
          redelivery: 'until-accepted',
        },
        ...row,
      },
    });
    this.ids.set(messageId, { state: 'waiting', directive, hash: '', sequence });
    return sequence;
  }

  row(sequence: number): RequestRow | undefined {
    return this.rows.get(sequence)?.row;
  }

  get journal(): Journal {
    const inbox: Pick<
      Inbox,
      'offer' | 'accept' | 'callOff' | 'back' | 'finish' | 'bury' | 'row' | 'body' | 'find' | 'unsettled'
    > = {
      offer: (sequence, redelivery) => {
        const kept = this.rows.get(sequence);
        if (kept) Object.assign(kept.row, { state: 'offered', redelivery, attempt: kept.row.attempt + 1 });
        return this.#write(`offer ${sequence}`, sequence);
      },
      accept: (sequence) => {
        const kept = this.rows.get(sequence);
        if (kept) kept.row.state = 'in-hand';
        return this.#write(`accept ${sequence}`, sequence);
      },
      back: (sequence, charge = {}) => {
        const kept = this.rows.get(sequence);
        const state = kept?.row.contentFile ? 'fetched' : 'received';
        if (kept) {
          const { row } = kept;
          row.state = state;
          row.workerDeaths += charge.workerDeaths ?? 0;
          row.daemonDeaths += charge.daemonDeaths ?? 0;
          row.workerErrors += charge.workerErrors ?? 0;
          row.internalErrors += charge.internalErrors ?? 0;
          row.suspect = charge.suspect ?? row.suspect;
        }
        return this.#write(`back ${sequence} ${JSON.stringify(charge)}`, sequence);
      },
      callOff: (sequence) => {
        const kept = this.rows.get(sequence);
        if (kept) kept.row.calledOff = true;
        return this.#write(`call-off ${sequence}`, sequence);
      },
      finish: (sequence) => {
        this.#end(sequence, 'done');
        return this.#write(`finish ${sequence}`, sequence);
      },
      bury: (sequence, reason, message) => {
        this.#end(sequence, 'dead-offered');
        this.deaths.set(sequence, { reason, message });
        return this.#write(`bury ${sequence} ${reason}`, sequence);
      },
      row: (sequence) => this.row(sequence),
      body: (sequence) => this.rows.get(sequence)?.request,
      find: (messageId) => this.ids.get(messageId),
      unsettled: (after, count) =>
        [...this.rows.values()]
          .map(({ row }) => row)
          .filter((row) => row.sequence > after && (row.state === 'offered' || row.state === 'in-hand'))
          .slice(0, count),
    };
    const outbox: Pick<Outbox, 'respond' | 'fill' | 'responses'> = {
      responses: (after, count) =>
        this.responses.filter(({ sequence }) => sequence > after).slice(0, count) as unknown as ResponseRow[],
      respond: (response, finishes) => {
        if (this.outboxFull) throw new YggError('YGG_OUTBOX_FULL', 'The outbox is full.');
        this.#sequence += 1;
        const sequence = this.#sequence;
        const refusal = this.refusal;
        if (refusal) {
          const refused = Promise.resolve().then(() => Promise.reject(refusal));
          refused.catch(() => {});
          return { sequence, committed: refused, flushed: refused };
        }
        this.responses.push({ ...response, sequence });
        if (finishes !== undefined) this.#end(finishes, 'done');
        return this.#write(
          `respond ${sequence}${finishes === undefined ? '' : ` finishes ${finishes}`}`,
          sequence,
        );
      },
      fill: () => ({ messages: this.outboxFill, bytes: 0, limit }),
    };
    // The rest is never called by the Dispatcher; calling it fails the test.
    const { contentDirectory, cleanStart } = this;
    const dead = { get: (sequence: number) => this.deaths.get(sequence) };
    return { inbox, outbox, dead, contentDirectory, cleanStart } as unknown as Journal;
  }

  #end(sequence: number, state: KnownId['state']): void {
    const kept = this.rows.get(sequence);
    this.rows.delete(sequence);
    if (!kept) return;
    const { messageId, directive } = kept.row;
    this.ids.set(messageId, { state, directive, hash: '', sequence });
  }

  #write(line: string, sequence: number): Receipt {
    this.log.push(line);
    const flushed = this.gate ?? Promise.resolve();
    return { sequence, committed: Promise.resolve(), flushed };
  }
}
