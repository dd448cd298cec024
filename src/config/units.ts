/**
 * Durations and sizes as people write them: `500ms`, `1m30s`, `7d`; `64KiB`, `2GiB`.
 */

/** Milliseconds of each unit; the names are those of Go, whose configuration files are read too, and `d`. */
const durationUnits: ReadonlyMap<string, number> = new Map([
  ['ns', 1e-6],
  ['us', 1e-3],
  ['µs', 1e-3],
  ['ms', 1],
  ['s', 1000],
  ['m', 60_000],
  ['h', 3_600_000],
  ['d', 86_400_000],
]);

/** Bytes of each unit. */
const sizeUnits: ReadonlyMap<string, number> = new Map([
  ['B', 1],
  ['KiB', 1024],
  ['MiB', 1024 ** 2],
  ['GiB', 1024 ** 3],
]);

/** Milliseconds, or `undefined` when it is not a duration with units. */
export function parseDuration(text: string): number | undefined {
  if (!/^(?:\d+(?:\.\d+)?(?:ns|us|µs|ms|s|m|h|d))+$/.test(text)) return undefined;
  let total = 0;
  for (const [, amount, unit] of text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h|d)/g)) {
    total += Number(amount) * (durationUnits.get(unit ?? '') ?? Number.NaN);
  }
  return total > 0 && total < 1 ? total : Math.round(total);
}

/** The shortest spelling of whole milliseconds: `90000` is `90s`. */
export function writeDuration(ms: number): string {
  return writeIn(ms, [...durationUnits].slice(3), 'ms');
}

/** Bytes, or `undefined` when it is not a size with a unit. */
export function parseSize(text: string): number | undefined {
  const [, amount, unit] = /^(\d+(?:\.\d+)?)\s*(B|KiB|MiB|GiB)$/.exec(text) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  return Math.round(Number(amount) * (sizeUnits.get(unit) ?? Number.NaN));
}

/** The shortest spelling of bytes: `2097152` is `2MiB`. */
export function writeSize(bytes: number): string {
  return writeIn(bytes, [...sizeUnits], 'B');
}

/** In the largest unit that divides it. */
function writeIn(amount: number, units: readonly (readonly [string, number])[], smallest: string): string {
  const [name, factor] = units.findLast(([, each]) => amount >= each && amount % each === 0) ?? [smallest, 1];
  return `${amount / factor}${name}`;
}
