/**
 * Answers of one stream whose content comes in chunks: pulled piece by piece, put together, given out whole.
 *
 * Owns the unfinished ones; each holds a place in the memory they all share, and waits for it before it is pulled.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { YggError } from '../base/errors.ts';
import type { Answer } from '../rpc/attach-frames.ts';
import type { MemoryPlace, MemoryRoom } from './memory-room.ts';

export interface LargeAnswersDeps {
  readonly clock: Pick<Clock, 'after'>;
  readonly room: MemoryRoom;
  /** Bytes of the largest content. */
  readonly limit: number;
  /** So much of an answer, from its beginning, is wanted. */
  readonly onPull: (messageId: string, until: number) => void;
  /** It will not be finished. */
  readonly onFail: (answer: Answer, error: YggError) => void;
}

/** An answer with its content, and the place in memory it holds. */
export interface WholeAnswer {
  readonly answer: Answer;
  readonly place: MemoryPlace;
}

interface Unfinished {
  readonly answer: Answer;
  readonly place: MemoryPlace;
  /** Set once there is room for it. */
  content: Buffer | undefined;
  received: number;
  /** What was there of it when its patience began. */
  mark: number;
  pulled: number;
  patience: Timer | undefined;
}

/** Bytes that may be on the way: enough that the worker never waits for the next pull. */
const ahead = 1024 * 1024;
/** Milliseconds in which `leastProgress`, or all that is left, has to come: others wait for the place. */
const patience = 60_000;
const leastProgress: number = ahead / 2;

export class LargeAnswers {
  readonly #deps: LargeAnswersDeps;
  readonly #unfinished = new Map<string, Unfinished>();

  constructor(deps: LargeAnswersDeps) {
    this.#deps = deps;
  }

  /**
   * An answer was announced. One with the same id that was begun before begins anew.
   *
   * @throws YggError `YGG_MESSAGE_TOO_LARGE`
   */
  begin(answer: Answer): void {
    const { messageId, totalSize } = answer;
    const { limit, room } = this.#deps;
    this.#end(messageId)?.place.release();
    if (!Number.isSafeInteger(totalSize) || totalSize > limit) {
      const sentence = `The answer ${messageId} has ${totalSize} bytes and may have ${limit}.`;
      throw new YggError('YGG_MESSAGE_TOO_LARGE', sentence);
    }
    const place: MemoryPlace = room.ask(totalSize, () => {
      // Called once `place` is known, also when there is room at once.
      queueMicrotask(() => this.#pullFirst(messageId, place));
    });
    const entry = { content: undefined, received: 0, mark: 0, pulled: 0, patience: undefined };
    this.#unfinished.set(messageId, { answer, place, ...entry });
  }

  /** Takes a chunk; gives out the answer that it completes. */
  take(messageId: string, chunk: Uint8Array): WholeAnswer | undefined {
    const entry = this.#unfinished.get(messageId);
    if (!entry) return undefined;
    const { answer, place, content } = entry;
    if (!content || entry.received + chunk.length > entry.pulled) {
      const sentence = `The answer ${messageId} has more chunks than were pulled.`;
      this.#fail(messageId, new YggError('YGG_MESSAGE_INVALID', sentence));
      return undefined;
    }
    content.set(chunk, entry.received);
    entry.received += chunk.length;
    if (entry.received === answer.totalSize) {
      this.#end(messageId);
      return { answer: { ...answer, content }, place };
    }
    if (entry.received - entry.mark >= leastProgress) this.#wait(entry);
    if (entry.pulled - entry.received <= ahead / 2) this.#pull(entry);
    return undefined;
  }

  /** The stream is gone: what it had begun comes from the beginning, on another one. */
  clear(): void {
    for (const messageId of [...this.#unfinished.keys()]) this.#end(messageId)?.place.release();
  }

  #pullFirst(messageId: string, place: MemoryPlace): void {
    const entry = this.#unfinished.get(messageId);
    if (entry?.place !== place) return;
    entry.content = Buffer.allocUnsafe(entry.answer.totalSize);
    this.#wait(entry);
    this.#pull(entry);
  }

  #pull(entry: Unfinished): void {
    const { messageId, totalSize } = entry.answer;
    const until = Math.min(totalSize, entry.received + ahead);
    if (until <= entry.pulled) return;
    entry.pulled = until;
    this.#deps.onPull(messageId, until);
  }

  #wait(entry: Unfinished): void {
    entry.patience?.cancel();
    entry.mark = entry.received;
    entry.patience = this.#deps.clock.after(patience, () => {
      const { messageId } = entry.answer;
      const sentence = `The answer ${messageId} came too slowly: ${entry.received - entry.mark} bytes in ${patience} ms, ${entry.received} of ${entry.answer.totalSize} in all.`;
      this.#fail(messageId, new YggError('YGG_DEADLINE', sentence));
    });
  }

  #fail(messageId: string, error: YggError): void {
    const entry = this.#end(messageId);
    entry?.place.release();
    if (entry) this.#deps.onFail(entry.answer, error);
  }

  #end(messageId: string): Unfinished | undefined {
    const entry = this.#unfinished.get(messageId);
    entry?.patience?.cancel();
    this.#unfinished.delete(messageId);
    return entry;
  }
}
