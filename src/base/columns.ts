/**
 * Rows of text in columns.
 */
import { printable } from './printable.ts';

/** Two spaces between columns, none at the end of a line; numbers are aligned to the right with `right`. */
export function inColumns(rows: ReadonlyArray<readonly string[]>, right: readonly number[] = []): string[] {
  const shown = rows.map((row) => row.map(printable));
  const widths: number[] = [];
  for (const row of shown) {
    for (const [column, cell] of row.entries()) {
      widths[column] = Math.max(widths[column] ?? 0, widthOf(cell));
    }
  }
  return shown.map((row) =>
    row
      .map((cell, column) => {
        const padding = ' '.repeat((widths[column] ?? 0) - widthOf(cell));
        return right.includes(column) ? `${padding}${cell}` : `${cell}${padding}`;
      })
      .join('  ')
      .trimEnd(),
  );
}

/** Characters, not code units; whoever names a worker in wide ones sees it shifted. */
function widthOf(text: string): number {
  return [...text].length;
}
