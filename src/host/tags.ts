/**
 * The tags of this host: what its administrator wants a server to know, from a TOML file, all of them as texts.
 */
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { readToml } from '../config/toml-file.ts';
import { checkSafePath } from './safe-path.ts';

export interface TagsDeps {
  readonly tagsFile: string;
  readonly log: Logger;
}

/** Reads the tags anew, sorted by name as in Go; `undefined` when there is no file or it cannot be used. */
export function readTags({ tagsFile, log }: TagsDeps): Readonly<Record<string, string>> | undefined {
  try {
    const file = readToml(tagsFile);
    if (!file) return undefined;
    checkSafePath(tagsFile);
    const tags: Record<string, string> = Object.create(null);
    for (const name of Object.keys(file.table).sort()) {
      const value = textOf(file.table[name]);
      if (value === undefined)
        log.warn({ place: file.place(name) }, 'a tag is not a single value, it is left out');
      else tags[name] = value;
    }
    return tags;
  } catch (error) {
    log.warn({ error: reasonOf(error) }, 'the tags file cannot be used, no tags are sent');
    return undefined;
  }
}

function textOf(value: unknown): string | undefined {
  switch (typeof value) {
    case 'string':
      return value;
    case 'number':
      return numberText(value);
    case 'bigint':
    case 'boolean':
      return String(value);
    default:
      return value instanceof Date ? dateText(value) : undefined;
  }
}

/** As Go writes floats. */
function numberText(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? '+Inf' : '-Inf';
  return String(value);
}

/** RFC 3339, without the fraction where it is zero. */
function dateText(value: Date): string {
  return value.toISOString().replace(/\.0+(?=Z|[+-]|$)/, '');
}
