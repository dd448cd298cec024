/** What must never happen, whatever the other side says: an error that nobody caught. */
import type { Scope } from '../../helpers/scope.ts';

export interface Faults {
  readonly list: readonly string[];
  add(fault: string): void;
}

/** Every error and rejection of this process that nobody catches is a fault, until the scope ends. */
export function watchFaults(scope: Scope): Faults {
  const list: string[] = [];
  const add = (fault: string): void => {
    // The first ones tell enough.
    if (list.length < 100) list.push(fault);
  };
  const onError = (error: unknown): void =>
    add(`nobody caught ${error instanceof Error ? error.stack : String(error)}`);
  process.on('uncaughtException', onError);
  process.on('unhandledRejection', onError);
  scope.defer(() => {
    process.off('uncaughtException', onError);
    process.off('unhandledRejection', onError);
  });
  return { list, add };
}
