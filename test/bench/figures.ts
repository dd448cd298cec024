/** What a benchmark finds, the bounds it is held against, and the table that shows both. */

export interface Figure {
  readonly name: string;
  readonly value: number;
  readonly unit: string;
  /** What it must be at least or at most; none: for information. */
  readonly atLeast?: number;
  readonly atMost?: number;
}

/** One benchmark, chosen by its name. */
export interface Bench {
  readonly name: string;
  readonly about: string;
  measure(settings: Settings): Promise<readonly Figure[]>;
}

export interface Settings {
  /** Of a burst. */
  readonly messages: number;
  /** Of which the median counts. */
  readonly runs: number;
  /** Tells people how far it is. */
  readonly say: (progress: string) => void;
}

export function holds(figure: Figure): boolean {
  const { value, atLeast = Number.NEGATIVE_INFINITY, atMost = Number.POSITIVE_INFINITY } = figure;
  return value >= atLeast && value <= atMost;
}

/** Markdown, so that it goes into docs/performance.md as it is. */
export function table(figures: readonly Figure[]): string[] {
  const rows = figures.map((figure) => [
    figure.name,
    `${format(figure.value)} ${figure.unit}`.trim(),
    bound(figure),
    figure.atLeast === undefined && figure.atMost === undefined ? '' : holds(figure) ? 'ok' : 'MISSED',
  ]);
  const head = ['figure', 'measured', 'must be', ''];
  const all = [head, head.map(() => '-'), ...rows];
  const width = (column: number): number => Math.max(...all.map((row) => row[column]?.length ?? 0));
  return all.map((row) => {
    const cells = row.map((cell, column) => cell.padEnd(width(column), cell === '-' ? '-' : ' '));
    return `| ${cells.join(' | ')} |`;
  });
}

/** Nothing sent may be left unanswered, or be answered twice. */
export function lossless(
  name: string,
  runs: ReadonlyArray<{ readonly lost: number; readonly doubled: number }>,
): Figure[] {
  return [
    { name: `lost, ${name}`, value: sum(runs.map(({ lost }) => lost)), unit: '', atMost: 0 },
    { name: `doubled, ${name}`, value: sum(runs.map(({ doubled }) => doubled)), unit: '', atMost: 0 },
  ];
}

/** The median of one number of each run. */
export function median<Run>(runs: readonly Run[], of: (run: Run) => number): number {
  const sorted = runs.map(of).sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}

export function sum(values: readonly number[]): number {
  return values.reduce((total, value) => total + value, 0);
}

function bound({ atLeast, atMost, unit }: Figure): string {
  if (atLeast !== undefined) return `at least ${atLeast} ${unit}`.trim();
  return atMost === undefined ? '' : `at most ${atMost} ${unit}`.trim();
}

function format(value: number): string {
  if (Number.isInteger(value)) return String(value);
  return value >= 100 ? value.toFixed(0) : value >= 10 ? value.toFixed(1) : value.toFixed(2);
}
