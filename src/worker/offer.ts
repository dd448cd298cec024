/**
 * What a worker offers, for the server and for people: the features of its handlers, and `--describe`.
 */
import type { Commands, EventDefinitions } from './commands.ts';
import type { Metadata } from './frames.ts';
import type { Handler } from './handler.ts';

export interface Offer {
  readonly help: string | undefined;
  readonly commands: Commands | undefined;
  readonly events: EventDefinitions | undefined;
}

/** As it is printed. */
export interface Description {
  readonly help?: string;
  readonly events?: Readonly<Record<string, { readonly help?: string }>>;
  readonly commands?: Readonly<Record<string, CommandDescription>>;
}

export interface CommandDescription {
  readonly help?: string;
  readonly events: Readonly<Record<string, { readonly help?: string }>>;
}

export function describe({ help, commands, events }: Offer): Description {
  return {
    ...(help === undefined ? {} : { help }),
    ...(events ? { events: eventsOf(events) } : {}),
    ...(commands
      ? { commands: mapped(commands, (of) => ({ ...helpOf(of), events: eventsOf(of.events) })) }
      : {}),
  };
}

/** Feature values are texts, so what has structure is JSON in one. */
export function featuresOf(offer: Offer): Metadata {
  const { help, ...rest } = describe(offer);
  return {
    ...(help === undefined ? {} : { help }),
    ...mapped(rest, (value) => JSON.stringify(value)),
  };
}

/** What `--describe` prints. */
export function descriptionText(handlers: readonly Handler[]): string {
  const described = handlers.map(({ name, redelivery, concurrency, detached, features, offer }) => [
    name,
    { redelivery, concurrency, detached, features, ...describe(offer) },
  ]);
  return `${JSON.stringify({ handlers: Object.fromEntries(described) }, undefined, 2)}\n`;
}

function eventsOf(events: EventDefinitions): Readonly<Record<string, { readonly help?: string }>> {
  return mapped(events, helpOf);
}

function helpOf({ help }: { readonly help?: string | undefined }): { readonly help?: string } {
  return help === undefined ? {} : { help };
}

function mapped<Value, Result>(
  of: Readonly<Record<string, Value>>,
  map: (value: Value) => Result,
): Record<string, Result> {
  return Object.fromEntries(Object.entries(of).map(([name, value]) => [name, map(value)]));
}
