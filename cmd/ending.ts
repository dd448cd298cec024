/**
 * How a program that runs a daemon ends: with its last lines written, whatever else is left.
 */
import { errorTable, reasonOf } from '../src/base/errors.ts';
import type { RootLogger } from '../src/base/logger.ts';

/** Milliseconds the last lines of the log may take to get out. */
const lastWords = 500;

/** Flushes the log. Nothing should be left that keeps the process alive after it; what is left must not. */
export async function endWith(status: number, log: RootLogger): Promise<void> {
  await log.flush(lastWords);
  const timer = setTimeout(() => {
    log.debug({ left: process.getActiveResourcesInfo() }, 'something was not released');
    process.exit(status);
  }, lastWords);
  timer.unref();
}

/** A fault nobody caught ends the program, with one line that says where it was. */
export function reportCrashes(log: RootLogger): void {
  const crash = (error: unknown): void => {
    const stack = error instanceof Error ? error.stack : undefined;
    log.error({ error: reasonOf(error), stack }, 'yggd crashes, this is a fault of the program');
    void log.flush(lastWords).then(() => process.exit(errorTable.YGG_INTERNAL.exit));
  };
  process.on('uncaughtException', crash);
  process.on('unhandledRejection', crash);
}
