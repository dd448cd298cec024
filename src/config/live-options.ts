/**
 * The options of a daemon while they may change: which of them a reload changes, and what they are now.
 */
import type { Options } from './options.ts';
import { type OptionSpec, optionFields, optionTable } from './table.ts';

export type OptionField = keyof Options;

export interface Replaced {
  /** Hold from now on. */
  readonly applied: readonly OptionField[];
  /** Have changed since the start and hold after a restart. */
  readonly needRestart: readonly OptionField[];
}

export class LiveOptions {
  /** What is read here is what holds at that moment: whoever keeps no copy follows a reload. */
  readonly now: Options;
  #current: Options;

  constructor(options: Options) {
    this.#current = options;
    const view = {};
    for (const field of optionFields) {
      Object.defineProperty(view, field, { enumerable: true, get: () => this.#current[field] });
    }
    // Each field was given its accessor.
    this.now = view as Options;
  }

  /** What differs from what holds now. */
  changes(read: Options): readonly OptionField[] {
    return optionFields.filter((field) => !isSame(read[field], this.#current[field]));
  }

  /** Takes over what a reload may change; those in `refused` wait for a restart like all others. */
  replace(read: Options, refused: readonly OptionField[] = []): Replaced {
    const changed = this.changes(read);
    const applied = changed.filter((field) => isLive(field) && !refused.includes(field));
    this.#current = Object.freeze({
      ...this.#current,
      ...Object.fromEntries(applied.map((field) => [field, read[field]])),
    });
    return { applied, needRestart: changed.filter((field) => !applied.includes(field)) };
  }
}

function isLive(field: OptionField): boolean {
  const spec: OptionSpec<unknown> = optionTable[field];
  return spec.reload === true;
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
