/**
 * What a handler hands out, as bytes: bytes as they are, everything else as JSON.
 */

/** @throws TypeError for what JSON cannot say (a function, a circle, a bigint) */
export function contentOf(value: unknown): Uint8Array {
  if (value instanceof Uint8Array) return value;
  if (value instanceof ArrayBuffer) return new Uint8Array(value);
  const json: string | undefined = JSON.stringify(value);
  if (json === undefined) throw new TypeError(`A ${typeof value} cannot be sent: JSON has no word for it.`);
  return Buffer.from(json);
}
