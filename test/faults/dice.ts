/** Chance that comes out the same for the same seed. */

export interface Dice {
  /** From 0 up to, not including, 1. */
  readonly next: () => number;
  /** A whole number from 0 up to, not including, `end`. */
  upTo(end: number): number;
  /** A whole number from `least` to `most`. */
  between(least: number, most: number): number;
  pick<const T>(list: readonly [T, ...T[]]): T;
  /** Dice of their own for a part of a run, so that the parts do not depend on each other. */
  fork(name: string): Dice;
}

/** mulberry32. */
export function createDice(seed: number): Dice {
  let state = seed;
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const upTo = (end: number): number => Math.floor(next() * end);
  return {
    next,
    upTo,
    between: (least, most) => least + upTo(most - least + 1),
    pick: (list) => list[upTo(list.length)] ?? list[0],
    fork(name) {
      let hash = seed;
      for (const character of name) hash = Math.imul(hash ^ (character.codePointAt(0) ?? 0), 0x01000193);
      return createDice(hash);
    },
  };
}
