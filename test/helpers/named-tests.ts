/** References to tests in a table of the documents: `` `unit/x` its name ``, several with `<br>` between them. */
import { readFileSync } from 'node:fs';
import path from 'node:path';

export interface NamedTest {
  /** Below `test`, without `.test.ts`; empty when the reference cannot be read. */
  readonly file: string;
  /** Of a test, or of a group of them, as it stands in the source. */
  readonly name: string;
}

export function namedTests(cell: string): NamedTest[] {
  return cell.split('<br>').map((one) => {
    const [, file = '', name = ''] = /^`([^`]+)` (.+)$/.exec(one.trim()) ?? [];
    return { file, name };
  });
}

export function isThere({ file, name }: NamedTest): boolean {
  if (file === '') return false;
  const source = readFileSync(path.resolve(import.meta.dirname, '..', `${file}.test.ts`), 'utf8');
  const literals = [`'${name.replaceAll("'", "\\'")}'`, `"${name}"`, `\`${name}\``];
  return literals.some((literal) => new RegExp(`\\(\\s*${escaped(literal)},`).test(source));
}

function escaped(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\/]/g, '\\$&');
}
