/**
 * Explains the most common reason why a script cannot be started: the interpreter that its first line names is not
 * where a worker looks for it.
 */
import path from 'node:path';
import { envProgram, interpreterLine, inWorkerPath, isProgram } from './interpreter.ts';
import { workerPath } from './worker-environment.ts';

/** A sentence for people; undefined when the interpreter is there, or the file is no script. */
export function explainMissingInterpreter(file: string): string | undefined {
  const line = interpreterLine(file);
  if (line === undefined) return undefined;
  if (line.endsWith('\r')) {
    return `the first line of ${file} ends with a carriage return, which Linux takes for a part of the name; save it with Unix line ends`;
  }
  const [interpreter = '', ...words] = line.split(/\s+/);
  if (!isProgram(interpreter)) {
    return `the first line of ${file} names ${interpreter || 'no interpreter'}, which is not there; install it or change the line`;
  }
  if (path.basename(interpreter) !== 'env') return undefined;
  const name = envProgram(words);
  if (name === undefined || name.includes('/') || inWorkerPath(name) !== undefined) return undefined;
  return (
    `${file} needs ${name}, which is in none of ${workerPath.replaceAll(':', ', ')} (a worker's whole PATH); ` +
    `link it into /usr/local/bin or write its full path into the first line`
  );
}
