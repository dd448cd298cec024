/**
 * Attempts to do what nobody else may: each has a name, is made, and must not succeed.
 *
 * An attempt that could not be made throws, which fails its test: it proves nothing. So does a control, the same thing
 * done by somebody who may, when it does not succeed. The last test of a list prints how many were made.
 */
import { expect, test } from 'vitest';

/** What became of an attempt. */
export interface Verdict {
  readonly succeeded: boolean;
  /** What stopped it, or what was reached. */
  readonly how: string;
}

export interface Attempt {
  readonly name: string;
  make(): Promise<Verdict>;
}

/** How many attempts were made, for the closing line. */
export class Tally {
  readonly #what: string;
  readonly #names = new Set<string>();
  readonly #succeeded: string[] = [];
  #controls = 0;

  constructor(what: string) {
    this.#what = what;
  }

  /** Registers a test for each attempt. */
  attempts(list: readonly Attempt[]): void {
    for (const { name, make } of list) {
      test(name, async () => {
        const { succeeded, how } = await make();
        this.#names.add(name);
        if (succeeded) this.#succeeded.push(name);
        expect({ succeeded, how }).toMatchObject({ succeeded: false });
      });
    }
  }

  /** The same things done by somebody who may: they have to succeed. */
  controls(list: readonly Attempt[]): void {
    for (const { name, make } of list) {
      test(`would be noticed: ${name}`, async () => {
        expect(await make()).toMatchObject({ succeeded: true });
        this.#controls += 1;
      });
    }
  }

  /** The closing test: at least so many were made, none succeeded. */
  closes(atLeast: number): void {
    test(`at least ${atLeast} attempts were made, none succeeded`, () => {
      const { size } = this.#names;
      process.stdout.write(
        `${this.#what}: attempts: ${size}, succeeded: ${this.#succeeded.length}, controls that did: ${this.#controls}\n`,
      );
      expect(this.#succeeded).toEqual([]);
      expect(size).toBeGreaterThanOrEqual(atLeast);
    });
  }
}
