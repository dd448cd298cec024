/**
 * What a test has opened, released in reverse order when the test (or the file) is over, whatever became of it.
 *
 * Every helper that opens something takes a scope first, so that nothing can be opened without an owner.
 */
export class Scope {
  readonly #releases: Array<() => Promise<void> | void> = [];

  /** Called in reverse order of these calls. */
  defer(release: () => Promise<void> | void): void {
    this.#releases.push(release);
  }

  /** Releases everything, also after one release failed, and throws the first failure. */
  async end(): Promise<void> {
    const failures: unknown[] = [];
    for (const release of this.#releases.splice(0).reverse()) {
      try {
        await release();
      } catch (error) {
        failures.push(error);
      }
    }
    if (failures.length > 0) throw failures[0];
  }
}
