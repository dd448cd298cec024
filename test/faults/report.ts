/** The table of `npm run faults`: what was counted, what it must be, and how to get it again. */

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit?: string;
  readonly atLeast?: number;
  readonly atMost?: number;
  /** What was done, for people. */
  readonly detail?: string;
}

export function holds({ value, atLeast, atMost }: Figure): boolean {
  return value >= (atLeast ?? Number.NEGATIVE_INFINITY) && value <= (atMost ?? Number.POSITIVE_INFINITY);
}

/** One line, columns apart. */
export function lineOf(figure: Figure, origin: string): string {
  const { name, value, unit = '', atLeast, atMost, detail = '' } = figure;
  const bound =
    atLeast !== undefined ? `at least ${atLeast}` : atMost !== undefined ? `at most ${atMost}` : '';
  const verdict = bound === '' ? '' : holds(figure) ? 'ok' : 'MISSED';
  const cells = [
    name.padEnd(46),
    `${format(value)} ${unit}`.trim().padStart(12),
    bound.padEnd(14),
    verdict.padEnd(6),
  ];
  return `${cells.join('  ')}  ${[detail, origin].filter(Boolean).join(' | ')}`;
}

function format(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value >= 100 ? value.toFixed(0) : value.toFixed(1);
}
