/**
 * Runs one of the commands that its settings list: no shell, a program by its path, its own options, `--`, and operands
 * of which each matches its pattern as a whole. Nothing else of a message reaches the program.
 */
import path from 'node:path';
import { createWorker, type Logger, type Worker } from 'yggd/worker';
import { runProgram, safeProgram } from '../program.ts';
import { entriesOf, isTable, isTexts, refused, type Settings } from '../settings.ts';

interface Listed {
  readonly program: string;
  readonly options: readonly string[];
  /** One for each operand. */
  readonly patterns: readonly RegExp[];
}

export function createCommandWorker(handler: string, settings: Settings, log?: Logger): Worker {
  const commands = new Map(entriesOf(settings, 'commands').map(([name, of]) => [name, listed(name, of)]));
  return createWorker({
    handler,
    ...(log && { log }),
    accepts: true,
    async onMessage(message, job) {
      const content = message.json();
      const { command, arguments: operands = [] } = isTable(content) ? content : {};
      const found = typeof command === 'string' ? commands.get(command) : undefined;
      if (!found) throw refused(`There is no such command: there are ${[...commands.keys()].join(', ')}.`);
      const words = wordsOf(found, operands);
      const program = safeProgram(found.program);
      await job.accept();
      return await runProgram(program, words, job);
    },
  });
}

function listed(name: string, of: unknown): Listed {
  const { program, options = [], arguments: sources = [] } = isTable(of) ? of : {};
  if (typeof program !== 'string' || !path.isAbsolute(program) || !isTexts(options) || !isTexts(sources))
    throw new Error(
      `The command ${name} needs a program, by its full path; options and arguments are texts.`,
    );
  return { program, options, patterns: sources.map((source) => new RegExp(`^(?:${source})$`, 'u')) };
}

function wordsOf({ options, patterns }: Listed, operands: unknown): readonly string[] {
  if (!isTexts(operands) || operands.length !== patterns.length)
    throw refused(`The command takes ${patterns.length} arguments, all of them texts.`);
  for (const [place, operand] of operands.entries()) {
    if (operand.length > 4_096 || operand.includes('\0') || !patterns[place]?.test(operand))
      throw refused(`Argument ${place + 1} is not one that the command takes.`);
  }
  return patterns.length > 0 ? [...options, '--', ...operands] : options;
}
