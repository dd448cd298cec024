/**
 * What registration needs of D-Bus, and how it reads answers.
 */
import { cut, printable } from '../base/printable.ts';

/** A D-Bus signature of one type, and its value; a text under `v` goes out as a variant of a string. */
export type BusArgument = readonly [type: string, value: unknown];

export interface BusCall {
  readonly service: string;
  readonly path: string;
  readonly interface: string;
  readonly member: string;
  readonly args?: readonly BusArgument[];
  /** Milliseconds. */
  readonly timeout: number;
}

/** Values, or an error that only its caller understands. */
export type BusAnswer =
  | { readonly kind: 'values'; readonly values: readonly unknown[] }
  | { readonly kind: 'error'; readonly name: string; readonly text: string };

export interface Peer {
  /**
   * Throws `YGG_NO_ANSWER`, `YGG_SERVICE_MISSING`, `YGG_NOT_ALLOWED`, `YGG_SERVICE_REFUSED`, `YGG_BUS_UNREACHABLE`.
   */
  call(call: BusCall): Promise<BusAnswer>;
  close(): void;
}

export interface Bus extends Peer {
  /** Calls `listener` with the values of each such signal of this service. */
  watch(
    signal: Pick<BusCall, 'service' | 'path' | 'interface' | 'member'>,
    timeout: number,
    listener: (values: readonly unknown[]) => void,
  ): Promise<void>;
}

/** The first value, when it is a text; empty otherwise. */
export function firstText(values: readonly unknown[]): string {
  return typeof values[0] === 'string' ? values[0] : '';
}

/** Words of a service in quotes, fit to be shown; the full stop is that of the sentence they come into. */
export function quoted(text: string): string {
  return `"${printable(cut(text.trim().replace(/\.$/, ''), 500))}"`;
}
