/**
 * The steps of a command, as they go: a line for each that ended, a spinner beside the one under way.
 *
 * An interruption ends the one under way and lets no other begin.
 * Spinner and marks are for terminals only; everywhere else there are plain lines, or one JSON object for each step.
 */
import type { Clock, Timer } from '../base/clock.ts';
import { unlessAborted } from '../base/deadline.ts';
import { codeOf, type ErrorCode, reasonOf, YggError } from '../base/errors.ts';
import { printable } from '../base/printable.ts';
import { green, type Printer, paint, red, type Screen } from '../base/printer.ts';

/** A stream that may be a terminal which can draw a line anew. */
export interface LiveScreen extends Screen {
  readonly live: boolean;
}

export interface Step {
  /** For programs: `register`. */
  readonly name: string;
  /** What it is about, for people: `RHSM`. */
  readonly subject: string;
  /** `registering with RHSM`. */
  readonly doing: string;
  /** What to do about a failure of this code. */
  readonly advice?: Partial<Record<ErrorCode, string>>;
  /** It only asks. */
  readonly harmless?: boolean;
}

export interface Ended {
  /** `already`: there was nothing to do. */
  readonly state: 'done' | 'already';
  /** `registered as ...`. */
  readonly text: string;
  readonly fields?: Readonly<Record<string, unknown>>;
}

export function done(text: string, fields: Readonly<Record<string, unknown>> = {}): Ended {
  return { state: 'done', text, fields };
}

export function already(text: string): Ended {
  return { state: 'already', text };
}

export interface StepsDeps {
  readonly printer: Printer;
  readonly out: LiveScreen;
  readonly err: LiveScreen;
  readonly clock: Pick<Clock, 'every'>;
  /** Ctrl-C and its like. */
  readonly interrupted: AbortSignal;
}

/** Of the longest subject, `yggd.service`. */
const subjectWidth = 12;
const frames = ['|', '/', '-', '\\'];
const frameInterval = 120;

export class Steps {
  readonly #deps: StepsDeps;
  /** What was done, and what was under way at an interruption, for its sentence. */
  readonly #done: string[] = [];
  #cut: Step | undefined;

  constructor(deps: StepsDeps) {
    this.#deps = deps;
  }

  get interrupted(): boolean {
    return this.#deps.interrupted.aborted;
  }

  /** Does one step, and says how it ended. Throws what it throws, with the step and what to do in the sentence. */
  async run(step: Step, act: () => Promise<Ended>): Promise<void> {
    await this.say(step, await this.during(step, act));
  }

  /** Does what belongs to a step, without a line of its own when it ends well. */
  async during<T>(step: Step, act: () => Promise<T>): Promise<T> {
    const { interrupted } = this.#deps;
    interrupted.throwIfAborted();
    const spinner = this.#spin(step.doing);
    try {
      return await unlessAborted(interrupted, act());
    } catch (error) {
      spinner?.cancel();
      const cut = interrupted.aborted && error === interrupted.reason;
      await this.#sayEnd(step, cut ? 'interrupted' : 'failed');
      if (!cut) throw failureOf(step, error);
      this.#cut = step;
      throw error;
    } finally {
      spinner?.cancel();
    }
  }

  say({ name, subject }: Step, { state, text, fields = {} }: Ended): Promise<void> {
    const { printer, out } = this.#deps;
    if (state === 'done') this.#done.push(`${subject} ${text}`);
    if (printer.format === 'json') return printer.result('', { step: name, state, ...fields });
    return printer.line(markedLine(out, 'good', subject, text));
  }

  /** How far an interrupted command came. */
  interruption(): YggError {
    const cut = this.#cut;
    const words = [cut === undefined ? 'Interrupted.' : `Interrupted while ${cut.doing}.`];
    if (this.#done.length > 0) words.push(`Before it: ${this.#done.join('; ')}.`);
    if (cut !== undefined && !cut.harmless) words.push('It may still happen, see ygg status.');
    else if (this.#done.length === 0) words.push('Nothing was changed.');
    words.push('The same command goes on from there.');
    return new YggError('YGG_CLOSED', words.join(' '), { cause: this.#deps.interrupted.reason });
  }

  /** Off a terminal the error alone says it. */
  async #sayEnd({ name, subject, doing }: Step, state: 'failed' | 'interrupted'): Promise<void> {
    const { printer, out } = this.#deps;
    if (printer.format === 'json') await printer.result('', { step: name, state });
    else if (out.live) await printer.line(markedLine(out, 'bad', subject, `${doing} ${state}`));
  }

  #spin(doing: string): Timer | undefined {
    const { err, clock } = this.#deps;
    if (!err.live) return undefined;
    let turn = 0;
    const draw = (): void => {
      void err.write(`\r\u001b[K${frames[turn % frames.length]} ${doing}`);
      turn += 1;
    };
    draw();
    const timer = clock.every(frameInterval, draw);
    let drawn = true;
    return {
      cancel() {
        timer.cancel();
        if (drawn) void err.write('\r\u001b[K');
        drawn = false;
      },
    };
  }
}

type Mark = 'good' | 'bad';

const marks: Readonly<Record<Mark, readonly [sign: string, colour: number]>> = {
  good: ['✓', green],
  bad: ['✗', red],
};

/** `✓ RHSM          registered`; the mark on a terminal only. */
export function markedLine(screen: LiveScreen, mark: Mark, subject: string, text: string): string {
  const [sign, colour] = marks[mark];
  const line = `${subject.padEnd(subjectWidth)}  ${printable(text)}`;
  return screen.live ? `${paint(screen, colour, sign)} ${line}` : line;
}

function failureOf({ doing, advice = {} }: Step, error: unknown): YggError {
  const code = codeOf(error) ?? 'YGG_INTERNAL';
  const what = `${doing.charAt(0).toUpperCase()}${doing.slice(1)}`;
  const todo = advice[code];
  const sentence = `${what} failed: ${reasonOf(error)}`;
  return new YggError(code, todo === undefined ? sentence : `${sentence} ${todo}`, { cause: error });
}
