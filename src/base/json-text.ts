/**
 * Finds where JSON values begin and end in bytes, without building them (RFC 8259, strict).
 *
 * A value that is only passed on keeps its exact bytes this way, big integers and spacing included, and a large or
 * deep one costs no objects. Bytes above 0x7f are taken inside strings as they are: whether the text is UTF-8 is the
 * caller's question. Positions are byte offsets; a negative one means that the text breaks off or is not JSON.
 */

const quote = 0x22;
const backslash = 0x5c;
const comma = 0x2c;
const colon = 0x3a;
const braceOpen = 0x7b;
const braceClose = 0x7d;
const bracketOpen = 0x5b;
const bracketClose = 0x5d;
const minus = 0x2d;
const plus = 0x2b;
const dot = 0x2e;
const zero = 0x30;
const letterE = 0x65;
const letterU = 0x75;

/** Deeper nesting is not JSON to this reader; Go's encoding/json has the same bound. */
const maxDepth = 10_000;

const none = -1;

const literals = new Map([
  [0x74, Buffer.from('true')],
  [0x66, Buffer.from('false')],
  [0x6e, Buffer.from('null')],
]);

/** What may follow a backslash, besides `u` and four hexadecimal digits. */
const escapes: ReadonlySet<number | undefined> = new Set(Buffer.from('"\\/bfnrt'));

/** Receives one member of an object; both spans exclude the spaces around them, the key's its quotes too. */
export type MemberVisitor = (keyStart: number, keyEnd: number, valueStart: number, valueEnd: number) => void;

/** Whether all of it is one JSON value, spaces around it allowed. */
export function isJson(bytes: Uint8Array): boolean {
  const end = endOfValue(bytes, afterSpaces(bytes, 0));
  return end >= 0 && afterSpaces(bytes, end) === bytes.length;
}

/**
 * Visits the members of an object in order, repeated keys included, and says whether the text was one whole object.
 * When it was not, the members before the fault have been visited.
 */
export function eachMember(bytes: Uint8Array, visit: MemberVisitor): boolean {
  let at = afterSpaces(bytes, 0);
  if (bytes[at] !== braceOpen) return false;
  at = afterSpaces(bytes, at + 1);
  if (bytes[at] === braceClose) return afterSpaces(bytes, at + 1) === bytes.length;
  for (;;) {
    const keyStart = at + 1;
    const keyEnd = endOfString(bytes, at) - 1;
    const valueStart = afterColon(bytes, keyEnd + 1);
    const valueEnd = valueStart < 0 ? none : endOfValue(bytes, valueStart);
    if (valueEnd < 0) return false;
    at = afterSpaces(bytes, valueEnd);
    // A number or literal at the very end of the bytes may have been cut short.
    if (at === bytes.length) return false;
    visit(keyStart, keyEnd, valueStart, valueEnd);
    if (bytes[at] === braceClose) return afterSpaces(bytes, at + 1) === bytes.length;
    if (bytes[at] !== comma) return false;
    at = afterSpaces(bytes, at + 1);
  }
}

/** The position after the value that begins at `start`. */
function endOfValue(bytes: Uint8Array, start: number): number {
  const isNested = bytes[start] === braceOpen || bytes[start] === bracketOpen;
  return isNested ? endOfNested(bytes, start) : endOfScalar(bytes, start);
}

function endOfNested(bytes: Uint8Array, start: number): number {
  /** The closing byte of every object and array that is open, outermost first. */
  const open: number[] = [];
  let at = start;
  for (;;) {
    const first = bytes[at];
    if (first === braceOpen || first === bracketOpen) {
      const close = first === braceOpen ? braceClose : bracketClose;
      at = afterSpaces(bytes, at + 1);
      if (bytes[at] === close) {
        at += 1;
      } else {
        if (open.length === maxDepth) return none;
        open.push(close);
        if (close === braceClose) at = afterKey(bytes, at);
        if (at < 0) return none;
        continue;
      }
    } else {
      at = endOfScalar(bytes, at);
      if (at < 0) return none;
    }
    at = afterClosings(bytes, at, open);
    if (at < 0 || open.length === 0) return at;
    // A comma: the next member or element of the innermost that is still open.
    at = afterSpaces(bytes, at + 1);
    if (open.at(-1) === braceClose) at = afterKey(bytes, at);
    if (at < 0) return none;
  }
}

/** Closes what ends after a value; the position of the comma that follows, or behind the outermost value. */
function afterClosings(bytes: Uint8Array, from: number, open: number[]): number {
  let at = from;
  while (open.length > 0) {
    at = afterSpaces(bytes, at);
    if (bytes[at] === comma) return at;
    if (bytes[at] !== open.at(-1)) return none;
    open.pop();
    at += 1;
  }
  return at;
}

function endOfScalar(bytes: Uint8Array, at: number): number {
  const first = bytes[at];
  if (first === quote) return endOfString(bytes, at);
  if (first === minus || isDigit(first)) return endOfNumber(bytes, at);
  const literal = first === undefined ? undefined : literals.get(first);
  if (!literal) return none;
  for (let index = 1; index < literal.length; index += 1) {
    if (bytes[at + index] !== literal[index]) return none;
  }
  return at + literal.length;
}

function endOfString(bytes: Uint8Array, start: number): number {
  if (bytes[start] !== quote) return none;
  for (let at = start + 1; at < bytes.length; at += 1) {
    const byte = bytes[at];
    if (byte === quote) return at + 1;
    if (byte === undefined || byte < 0x20) return none;
    if (byte !== backslash) continue;
    at += 1;
    if (bytes[at] === letterU) {
      for (let digit = 1; digit <= 4; digit += 1) if (!isHexDigit(bytes[at + digit])) return none;
      at += 4;
    } else if (!escapes.has(bytes[at])) {
      return none;
    }
  }
  return none;
}

function endOfNumber(bytes: Uint8Array, start: number): number {
  let at = bytes[start] === minus ? start + 1 : start;
  if (bytes[at] === zero) at += 1;
  else at = afterDigits(bytes, at);
  if (at >= 0 && bytes[at] === dot) at = afterDigits(bytes, at + 1);
  if (at >= 0 && ((bytes[at] ?? 0) | 0x20) === letterE) {
    const sign = bytes[at + 1];
    at = afterDigits(bytes, sign === plus || sign === minus ? at + 2 : at + 1);
  }
  return at;
}

/** Behind at least one digit. */
function afterDigits(bytes: Uint8Array, start: number): number {
  let at = start;
  while (isDigit(bytes[at])) at += 1;
  return at === start ? none : at;
}

/** Behind a key and its colon, where the value begins. */
function afterKey(bytes: Uint8Array, at: number): number {
  const end = endOfString(bytes, at);
  return end < 0 ? none : afterColon(bytes, end);
}

function afterColon(bytes: Uint8Array, from: number): number {
  if (from <= 0) return none;
  const at = afterSpaces(bytes, from);
  return bytes[at] === colon ? afterSpaces(bytes, at + 1) : none;
}

function afterSpaces(bytes: Uint8Array, from: number): number {
  let at = from;
  for (;;) {
    const byte = bytes[at];
    if (byte !== 0x20 && byte !== 0x0a && byte !== 0x0d && byte !== 0x09) return at;
    at += 1;
  }
}

function isDigit(byte: number | undefined): boolean {
  return byte !== undefined && byte >= 0x30 && byte <= 0x39;
}

function isHexDigit(byte: number | undefined): boolean {
  if (byte === undefined) return false;
  const lower = byte | 0x20;
  return isDigit(byte) || (lower >= 0x61 && lower <= 0x66);
}
