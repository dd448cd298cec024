/**
 * What people and programs see: data on standard output, words on standard error, one form for each reader.
 *
 * Everything that came from outside is made printable before it reaches a terminal.
 */
import { indentedJson } from './json-layout.ts';
import { isJson } from './json-text.ts';
import { printable, printableLines } from './printable.ts';

export type Format = 'text' | 'json';

/** A stream, and what may be done on it. */
export interface Screen {
  /** Resolves when the reader has taken it, or is gone. */
  write(text: string): Promise<void>;
  readonly terminal: boolean;
  readonly colour: boolean;
}

export interface PrinterDeps {
  readonly out: Screen;
  readonly err: Screen;
  readonly format: Format;
}

export class Printer {
  readonly out: Screen;
  readonly format: Format;
  readonly #err: Screen;

  constructor({ out, err, format }: PrinterDeps) {
    this.out = out;
    this.format = format;
    this.#err = err;
  }

  /** A result that has a form for people, of one line or several, and one for programs. */
  result(text: string | readonly string[], fields: Readonly<Record<string, unknown>>): Promise<void> {
    const lines = typeof text === 'string' ? [text] : text;
    return this.line(this.format === 'json' ? JSON.stringify(fields) : lines.map(printable).join('\n'));
  }

  /** A line or several that are fit to be shown. */
  line(text: string): Promise<void> {
    return this.out.write(`${text}\n`);
  }

  /** A content for people: JSON laid out on a terminal, byte for byte into a pipe. */
  content(content: Uint8Array): Promise<void> {
    const text = Buffer.from(content).toString();
    return this.line(this.out.terminal ? shownContent(text, '') : text);
  }

  /** Words beside the data that only a person at a terminal wants. */
  remark(sentence: string): Promise<void> {
    const err = this.#err;
    return err.terminal ? err.write(`${paint(err, dim, printableLines(sentence))}\n`) : Promise.resolve();
  }

  warn(sentence: string): Promise<void> {
    const err = this.#err;
    return err.write(`${paint(err, yellow, 'warning:')} ${printableLines(sentence)}\n`);
  }
}

export const dim = 2;
export const red = 31;
export const green = 32;
export const yellow = 33;
export const cyan = 36;

export function paint({ colour }: Screen, code: number, text: string): string {
  return colour ? `\u001b[${code}m${text}\u001b[0m` : text;
}

/** A span with one decimal. */
export function milliseconds(span: number): number {
  return Math.round(span * 10) / 10;
}

/** Laid out when it is JSON; each further line begins with `margin`. */
export function shownContent(text: string, margin: string): string {
  const laidOut = isJson(Buffer.from(text)) ? indentedJson(text) : text;
  return printableLines(laidOut).replaceAll('\n', `\n${margin}`);
}
