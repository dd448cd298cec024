/**
 * Words in the language of man(7).
 */

/** As they are to be read, whatever stands in them. */
export function roff(words: string): string {
  return words
    .replaceAll('\\', '\\e')
    .replaceAll('-', '\\-')
    .replaceAll('~', '\\(ti')
    .replaceAll('^', '\\(ha')
    .replaceAll("'", '\\(aq')
    .replaceAll('`', '\\(ga')
    .replace(/^([.'])/gm, '\\&$1');
}

/** As an argument of a macro. */
export function roffArgument(words: string): string {
  return `"${roff(words).replaceAll('"', '\\(dq')}"`;
}

export function bold(words: string): string {
  return `\\fB${roff(words)}\\fR`;
}

export function italic(words: string): string {
  return `\\fI${roff(words)}\\fR`;
}
