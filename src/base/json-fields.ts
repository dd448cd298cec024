/**
 * Reads the fields of a JSON object one by one, each as the bytes it has in the text.
 *
 * Names match without regard to case and the last of a repeated one counts, as in Go.
 */
import { isAscii } from 'node:buffer';
import { asBuffer } from './bytes.ts';
import { eachMember } from './json-text.ts';

/** A map of strings from outside; it has no prototype, so that every name is only a name. */
export type StringMap = Readonly<Record<string, string>>;

/**
 * Bytes of the longest text that is decoded in one go, which makes its pieces cheap; each piece that somebody keeps
 * keeps all of it in memory.
 */
const shortText = 1_024;

/** An object's fields. */
export class Fields {
  readonly #source: Source;
  /** In lower case, repeated ones too. */
  readonly #names: string[] = [];
  /** Where the value of each begins and ends, one after the other. */
  readonly #spans: number[] = [];
  /** Whether the text was one whole object; if not, the fields before the fault are here. */
  readonly whole: boolean;

  constructor(bytes: Uint8Array) {
    const source = new Source(bytes);
    this.#source = source;
    this.whole = eachMember(bytes, (keyStart, keyEnd, start, end) => {
      this.#names.push(source.text(keyStart, keyEnd).toLowerCase());
      this.#spans.push(start, end);
    });
  }

  get names(): string[] {
    return [...new Set(this.#names)];
  }

  has(name: string): boolean {
    return this.#names.includes(name);
  }

  /** The raw value, a view. */
  bytes(name: string): Uint8Array | undefined {
    const place = this.#names.lastIndexOf(name);
    return place < 0 ? undefined : this.#source.bytes.subarray(this.#start(place), this.#end(place));
  }

  /** A string; empty for `null` and for a field that is not there, `undefined` for what is not a string. */
  string(name: string): string | undefined {
    const place = this.#names.lastIndexOf(name);
    return place < 0 ? '' : this.#source.string(this.#start(place), this.#end(place));
  }

  /** An object of strings ({@link readStringMap}); `null` for a field that is not there. */
  stringMap(name: string): StringMap | null | undefined {
    const value = this.bytes(name);
    return value === undefined ? null : readStringMap(value);
  }

  #start(place: number): number {
    return this.#spans[2 * place] ?? 0;
  }

  #end(place: number): number {
    return this.#spans[2 * place + 1] ?? 0;
  }
}

/**
 * The strings of a raw object, names as they are; null becomes empty (Foreman sends it), numbers and booleans their
 * JSON text. `null` for `null`, `undefined` for what is not such an object.
 */
export function readStringMap(value: Uint8Array): StringMap | null | undefined {
  if (value[0] === letterN) return null;
  const map: Record<string, string> = Object.create(null);
  const source = new Source(value);
  let flat = true;
  const whole = eachMember(value, (keyStart, keyEnd, start, end) => {
    if (value[start] === braceOpen || value[start] === bracketOpen) flat = false;
    else map[source.text(keyStart, keyEnd)] = source.string(start, end) ?? source.text(start, end);
  });
  return whole && flat ? map : undefined;
}

const quote = 0x22;
const braceOpen = 0x7b;
const bracketOpen = 0x5b;
const letterN = 0x6e;

/** JSON text, and pieces of it. */
class Source {
  readonly bytes: Buffer;
  /** All of it, when it is short and a character is a byte. */
  readonly #text: string | undefined;

  constructor(bytes: Uint8Array) {
    this.bytes = asBuffer(bytes);
    if (bytes.length <= shortText && isAscii(bytes)) this.#text = this.bytes.toString('latin1');
  }

  /** A raw value: the text of a string, empty for `null`, `undefined` for what is not a string. */
  string(start: number, end: number): string | undefined {
    if (this.bytes[start] === letterN) return '';
    return this.bytes[start] === quote ? this.text(start + 1, end - 1) : undefined;
  }

  /** What stands between quotes. A lone surrogate, which UTF-8 cannot hold, becomes U+FFFD, as in Go. */
  text(start: number, end: number): string {
    const text = this.#text?.slice(start, end) ?? this.bytes.toString('utf8', start, end);
    if (!text.includes('\\')) return text;
    return Buffer.from(String(JSON.parse(`"${text}"`))).toString();
  }
}
