/**
 * Handlers that take commands: which command a message means, its input checked before the command runs, and the
 * events it may answer with.
 *
 * Metadata `command` names the command; without it, the only one is meant. An answer is an event. What a command throws
 * is the event `FATAL`, and that is its failure: one message, and none of the daemon's beside it.
 */
import { type CommandJob, EventJob, ownEvent } from './command-job.ts';
import { type EventAnswer, fatal } from './event-answer.ts';
import type { Job } from './job.ts';
import type { Message } from './message.ts';
import {
  type Input,
  issueText,
  type Output,
  type SchemaIssue,
  type StandardSchema,
} from './standard-schema.ts';

/** What is said of an event: the schema of its payload, for its type, and where to read about it. */
export interface EventDefinition {
  readonly payload?: StandardSchema;
  readonly help?: string;
}

export type EventDefinitions = Readonly<Record<string, EventDefinition>>;

/** What goes with an event: what its schema takes, anything when it has none. */
export type PayloadOf<Definition> = Definition extends { readonly payload: infer Schema }
  ? Input<Schema>
  : unknown;

/** The answers that these events allow. */
export type EventOf<Events extends EventDefinitions> = {
  [Name in keyof Events & string]: EventAnswer<Name, PayloadOf<Events[Name]>>;
}[keyof Events & string];

/** What a command answers: one of its events, `fatal(...)`, or nothing. */
export type CommandAnswer<Events extends EventDefinitions> =
  | EventOf<Events>
  | EventAnswer<'FATAL', unknown>
  | undefined
  // biome-ignore lint/suspicious/noConfusingVoidType: a command that answers nothing need not say so
  | void;

export interface CommandOptions<Schema extends StandardSchema, Events extends EventDefinitions> {
  /** Any Standard Schema; a message that does not pass is answered with its issues, and the command does not run. */
  readonly input: Schema;
  /** The events it may answer with; no other compiles. */
  readonly events: Events;
  /** A URL for people. */
  readonly help?: string;
  readonly run: (
    input: Output<Schema>,
    job: CommandJob<Events>,
    message: Message,
  ) => CommandAnswer<Events> | Promise<CommandAnswer<Events>>;
}

/** A command, ready to be named in `commands`. */
export interface Command {
  readonly events: EventDefinitions;
  readonly help: string | undefined;
  run(message: Message, job: Job): Promise<unknown>;
}

/** Thrown for content that a command does not take. */
export class InputInvalid extends Error {
  override readonly name = 'InputInvalid';
  readonly code = 'YGG_MESSAGE_INVALID';
  readonly issues: readonly SchemaIssue[];

  constructor(issues: readonly SchemaIssue[]) {
    super(`The input is not what the command takes: ${issues.map(issueText).join('; ')}`);
    this.issues = issues;
  }
}

/** Ties a command to its schema and its events, so that both have their types. */
export function command<Schema extends StandardSchema, const Events extends EventDefinitions>(
  options: CommandOptions<Schema, Events>,
): Command {
  const { input, events, help, run } = options;
  const schema: StandardSchema = input;
  return {
    events,
    help,
    async run(message, job) {
      const checked = await schema['~standard'].validate(inputOf(message));
      if (checked.issues) throw new InputInvalid(checked.issues);
      // The schema has just said so.
      const answer = await run(checked.value as Output<Schema>, new EventJob(job, events), message);
      return answer === undefined ? undefined : ownEvent(answer, events);
    },
  };
}

export type Commands = Readonly<Record<string, Command>>;

/** One handler for all of them. */
export function commandHandler(commands: Commands): (message: Message, job: Job) => Promise<unknown> {
  const names = Object.keys(commands);
  return async (message, job) => {
    const name = message.metadata['command'] ?? (names.length === 1 ? names[0] : undefined);
    const found = name !== undefined && Object.hasOwn(commands, name) ? commands[name] : undefined;
    if (!found) {
      const asked =
        name === undefined ? 'No command is named' : `There is no command ${JSON.stringify(name)}`;
      throw new InputInvalid([{ message: `${asked}: there are ${names.join(', ')}`, path: ['command'] }]);
    }
    return await found.run(message, job);
  };
}

/** The failure of a command as its answer. */
export function failureEvent(
  thrown: unknown,
  { code, text }: { readonly code: string; readonly text: string },
): EventAnswer {
  if (!(thrown instanceof InputInvalid)) return fatal({ code, message: text });
  const issues = thrown.issues.map(({ message, path = [] }) => ({
    message,
    path: path.map((part) => String(typeof part === 'object' ? part.key : part)),
  }));
  return fatal({ code, message: text, issues });
}

/** Nothing at all is `undefined`, so that a command without input can say so in its schema. */
function inputOf(message: Message): unknown {
  const text = message.text();
  if (text === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new InputInvalid([{ message: 'the content is no JSON' }]);
  }
}
