/**
 * Lays JSON text out anew without building its values, so that big integers and key order stay as they came.
 * The text must be JSON.
 */

/** One line, no spaces outside strings. */
export function compactJson(text: string): string {
  return layOut(text, undefined);
}

/** One member or element per line, two spaces deep. */
export function indentedJson(text: string): string {
  return layOut(text, '  ');
}

/** A string, or a run of what is neither space nor structure, or one structural character. */
const token = /"(?:[^"\\]|\\.)*"|[^\s"[\]{},:]+|[[\]{},:]/g;

function layOut(text: string, indent: string | undefined): string {
  const tokens = text.match(token) ?? [];
  if (indent === undefined) return tokens.join('');
  let out = '';
  let depth = 0;
  const newLine = (): string => `\n${indent.repeat(depth)}`;
  tokens.forEach((part, index) => {
    const empty = (part === '{' && tokens[index + 1] === '}') || (part === '[' && tokens[index + 1] === ']');
    const closesEmpty =
      (part === '}' && tokens[index - 1] === '{') || (part === ']' && tokens[index - 1] === '[');
    if (empty || closesEmpty) {
      out += part;
    } else if (part === '{' || part === '[') {
      depth += 1;
      out += part + newLine();
    } else if (part === '}' || part === ']') {
      depth -= 1;
      out += newLine() + part;
    } else if (part === ',') {
      out += part + newLine();
    } else {
      out += part === ':' ? ': ' : part;
    }
  });
  return out;
}
