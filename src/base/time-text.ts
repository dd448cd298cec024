/**
 * Times, spans and sizes as people read them.
 */

/** `2026-11-20 11:33:07`, in the time zone of this process. */
export function dateAndTime(at: number): string {
  const date = new Date(at);
  const parts = [date.getMonth() + 1, date.getDate(), date.getHours(), date.getMinutes(), date.getSeconds()];
  const [month, day, hours, minutes, seconds] = parts.map((part) => String(part).padStart(2, '0'));
  return `${date.getFullYear()}-${month}-${day} ${hours}:${minutes}:${seconds}`;
}

/** `11:33:07.382`, in the time zone of this process. */
export function timeOfDay(at: number): string {
  return `${dateAndTime(at).slice(-8)}.${String(at % 1000).padStart(3, '0')}`;
}

const units: ReadonlyArray<readonly [unit: string, milliseconds: number]> = [
  ['d', 86_400_000],
  ['h', 3_600_000],
  ['min', 60_000],
  ['s', 1_000],
];

/** `3 h 12 min`: the largest unit that fits and the next smaller one. Milliseconds; below a second `0 s`. */
export function spanText(span: number): string {
  const at = units.findIndex(([, length]) => span >= length);
  const [unit = 's', length = 1_000] = units[at] ?? [];
  const [smaller, smallerLength = 1] = units[at + 1] ?? [];
  const count = Math.max(0, Math.floor(span / length));
  const rest = Math.floor((span - count * length) / smallerLength);
  return smaller === undefined || at < 0 || rest === 0
    ? `${count} ${unit}`
    : `${count} ${unit} ${rest} ${smaller}`;
}

/** `1.5 MiB`. */
export function sizeText(bytes: number): string {
  let size = bytes;
  let unit = 'B';
  for (const larger of ['KiB', 'MiB', 'GiB', 'TiB']) {
    if (size < 1_024) break;
    size /= 1_024;
    unit = larger;
  }
  return `${Math.round(size * 10) / 10} ${unit}`;
}
