// Runs the tools that packages are made with.
import { spawnSync } from 'node:child_process';

/** What a person can do something about: its sentence is printed, and no stack. */
export class Refusal extends Error {
  constructor(message, exitCode = 1) {
    super(message);
    this.exitCode = exitCode;
  }
}

/** Runs it to its end; gives what it wrote to standard output. Throws a Refusal with what it said. */
export function run(program, words, { cwd, env, needs } = {}) {
  const { status, signal, stdout, stderr, error } = spawnSync(program, words, {
    cwd,
    env: { ...process.env, ...env },
    encoding: 'utf8',
    maxBuffer: 64 * 1024 * 1024,
  });
  if (error?.code === 'ENOENT')
    throw new Refusal(`${program} is missing${needs ? `; install ${needs}` : ''}.`);
  if (error) throw new Refusal(`${program} could not be run: ${error.message}`);
  if (status !== 0) {
    const ended = status === null ? `was ended by ${signal}` : `ended with status ${status}`;
    throw new Refusal(`${program} ${words[0] ?? ''} ${ended}:\n${stderr || stdout}`);
  }
  return stdout;
}
