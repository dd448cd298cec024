/**
 * An answer that is an event: its payload is the content, its name the metadata `event`.
 */

export class EventAnswer<Name extends string = string, Payload = unknown> {
  readonly event: Name;
  readonly payload: Payload;

  constructor(event: Name, payload: Payload) {
    this.event = event;
    this.payload = payload;
  }
}

/** What a handler returns to answer with an event. */
export function event<const Name extends string, Payload>(
  name: Name,
  payload: Payload,
): EventAnswer<Name, Payload> {
  return new EventAnswer(name, payload);
}

/** What a handler returns, or the worker itself, to say that the command cannot be carried out. */
export function fatal<Payload>(payload: Payload): EventAnswer<'FATAL', Payload> {
  return new EventAnswer('FATAL', payload);
}

/** What is sent for an answer, event or not. */
export function eventParts(answer: unknown): {
  readonly content: unknown;
  readonly event: string | undefined;
} {
  if (!(answer instanceof EventAnswer)) return { content: answer, event: undefined };
  return { content: answer.payload, event: answer.event };
}
