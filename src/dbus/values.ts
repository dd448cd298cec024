/**
 * Values on their way into and out of D-Bus messages.
 */
import { Variant } from 'dbus-next';

/** A D-Bus signature of one type, and its value; a text under `v` goes out as a variant of a string. */
export type Argument = readonly [type: string, value: unknown];

/** Signature and body of a message. */
export function bodyOf(args: readonly Argument[]): { readonly signature: string; readonly body: unknown[] } {
  return {
    signature: args.map(([type]) => type).join(''),
    body: args.map(([type, value]) => (type === 'v' ? new Variant('s', String(value)) : value)),
  };
}

/** The same without variants: each is its value. */
export function plain(value: unknown): unknown {
  if (value instanceof Variant) return plain(value.value);
  if (Array.isArray(value)) return value.map(plain);
  if (typeof value !== 'object' || value === null || value instanceof Uint8Array) return value;
  return Object.fromEntries(Object.entries(value).map(([key, each]) => [key, plain(each)]));
}
