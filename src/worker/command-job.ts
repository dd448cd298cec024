/**
 * What a command has at hand: a job whose answers are the events of the command, and no others.
 */
import type { Logger } from '../base/log.ts';
import type { EventDefinitions, EventOf } from './commands.ts';
import { EventAnswer } from './event-answer.ts';
import type { Job } from './job.ts';

export interface CommandJob<Events extends EventDefinitions>
  extends Pick<Job, 'signal' | 'attempt' | 'deadline' | 'log' | 'progress' | 'accept'> {
  /** Sends one of the command's events; resolves when it is safe with the daemon. Any number of times. */
  reply(answer: EventOf<Events> | EventAnswer<'FATAL', unknown>): Promise<void>;
}

/** What types cannot stop is stopped here. */
export function ownEvent(answer: unknown, events: EventDefinitions): EventAnswer {
  if (!(answer instanceof EventAnswer))
    throw new TypeError('A command answers with an event, or with nothing.');
  if (answer.event === 'FATAL' || Object.hasOwn(events, answer.event)) return answer;
  const known = Object.keys(events).join(', ');
  throw new TypeError(`The event ${JSON.stringify(answer.event)} is none of the command's: ${known}.`);
}

export class EventJob<Events extends EventDefinitions> implements CommandJob<Events> {
  readonly #job: Job;
  readonly #events: Events;

  constructor(job: Job, events: Events) {
    this.#job = job;
    this.#events = events;
  }

  get signal(): AbortSignal {
    return this.#job.signal;
  }

  get attempt(): number {
    return this.#job.attempt;
  }

  get deadline(): Date | undefined {
    return this.#job.deadline;
  }

  get log(): Logger {
    return this.#job.log;
  }

  async reply(answer: unknown): Promise<void> {
    await this.#job.reply(ownEvent(answer, this.#events));
  }

  progress(data: unknown): void {
    this.#job.progress(data);
  }

  accept(): Promise<void> {
    return this.#job.accept();
  }
}
