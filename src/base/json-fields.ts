/**
 * Reads the fields of a JSON object one by one, each as the bytes it has in the text.
 *
 * Names match without regard to case and the last of a repeated one counts, as in Go.
 */
import { asBuffer } from './bytes.ts';
import { eachMember } from './json-text.ts';

/** The raw value of each field under its name in lower case. */
export type Fields = ReadonlyMap<string, Uint8Array>;

/** A map of strings from outside; it has no prototype, so that every name is only a name. */
export type StringMap = Readonly<Record<string, string>>;

/** The fields up to the first fault, and whether there was none. */
export function readFields(bytes: Uint8Array): { readonly fields: Fields; readonly whole: boolean } {
  const fields = new Map<string, Uint8Array>();
  const whole = eachMember(bytes, (keyStart, keyEnd, start, end) => {
    fields.set(textBetween(bytes, keyStart, keyEnd).toLowerCase(), bytes.subarray(start, end));
  });
  return { fields, whole };
}

/** The text of a raw value; empty for `null`, `undefined` for what is not a string. */
export function readString(value: Uint8Array): string | undefined {
  if (isNull(value)) return '';
  return isString(value) ? textBetween(value, 1, value.length - 1) : undefined;
}

/**
 * The strings of a raw object, names as they are; null becomes empty (Foreman sends it), numbers and booleans their
 * JSON text. `null` for `null`, `undefined` for what is not such an object.
 */
export function readStringMap(value: Uint8Array): StringMap | null | undefined {
  if (isNull(value)) return null;
  const map: Record<string, string> = Object.create(null);
  let flat = true;
  const whole = eachMember(value, (keyStart, keyEnd, start, end) => {
    const member = value.subarray(start, end);
    if (member[0] === 0x7b || member[0] === 0x5b) flat = false;
    else map[textBetween(value, keyStart, keyEnd)] = readString(member) ?? asBuffer(member).toString();
  });
  return whole && flat ? map : undefined;
}

/** Whether a raw value, known to be JSON, is `null`. */
function isNull(value: Uint8Array): boolean {
  return value[0] === 0x6e;
}

function isString(value: Uint8Array): boolean {
  return value[0] === 0x22;
}

/** The text of a JSON string between its quotes. A lone surrogate, which UTF-8 cannot hold, becomes U+FFFD, as in Go. */
function textBetween(bytes: Uint8Array, start: number, end: number): string {
  const text = asBuffer(bytes).toString('utf8', start, end);
  if (!text.includes('\\')) return text;
  return Buffer.from(String(JSON.parse(`"${text}"`))).toString();
}
