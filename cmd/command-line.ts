/**
 * How a program of commands runs: its words, its reference pages, and the exit status of its end.
 */
import { type Command, CommanderError } from 'commander';
import { errorTable, exitOf, reasonOf } from '../src/base/errors.ts';
import { printable } from '../src/base/printable.ts';
import type { Screen } from '../src/base/printer.ts';
import { referenceOf } from './reference.ts';

export interface Screens {
  readonly out: Screen;
  readonly err: Screen;
}

/** Does what the command line says, to its end. */
export async function runCommandLine(program: Command, { out, err }: Screens): Promise<void> {
  try {
    const reference = await referenceOf(process.argv.slice(2), () => program);
    if (reference === undefined) await program.parseAsync();
    else await out.write(reference);
  } catch (error) {
    process.exitCode = await statusOf(error, program.name(), err);
  }
}

/** The exit status for whatever ended the program, after it was said. */
async function statusOf(error: unknown, name: string, err: Screen): Promise<number> {
  if (error instanceof CommanderError) {
    // Commander has said it already; help and version are no errors.
    return error.exitCode === 0 ? 0 : errorTable.YGG_USAGE.exit;
  }
  // It may quote what a host, a broker or a service said.
  for (const line of reasonOf(error).split('\n')) await err.write(`${name}: ${printable(line)}\n`);
  return exitOf(error);
}
