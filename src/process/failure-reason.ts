/**
 * Why a worker ended or could not be started, in words for people.
 */
import { reasonOf, systemCodeOf } from '../base/errors.ts';
import type { Exit } from './child.ts';
import { explainMissingInterpreter } from './missing-interpreter.ts';

/** With these the guard, or a shell, says that a program cannot be executed, or is not there. */
const cannotExecute = 126;
const notFound = 127;

/** True when the program could not be executed only because somebody still has it open for writing. */
export function isBusyExit({ exitCode, lastError }: Exit): boolean {
  return exitCode === cannotExecute && lastError.endsWith('Text file busy');
}

/** The same, for a program that was started without the guard. */
export function isBusyError(error: unknown): boolean {
  return errnoOf(error) === 'ETXTBSY';
}

export function reasonOfExit(file: string, { exitCode, signal, lastError }: Exit): string {
  const how = signal === null ? `exit status ${exitCode}` : `signal ${signal}`;
  const why =
    exitCode === cannotExecute || exitCode === notFound ? explainMissingInterpreter(file) : undefined;
  return [how, why ?? lastError].filter(Boolean).join(': ');
}

export function reasonOfStart(file: string, error: unknown): string {
  const why = errnoOf(error) === 'ENOENT' ? explainMissingInterpreter(file) : undefined;
  return why ?? reasonOf(error);
}

/** Of the error that caused this one. */
function errnoOf(error: unknown): unknown {
  return error instanceof Error ? systemCodeOf(error.cause) : undefined;
}
