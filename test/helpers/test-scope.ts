/** Scopes that vitest ends. */
import { afterAll, onTestFinished } from 'vitest';
import { Scope } from './scope.ts';

/** Ends with the running test. */
export function testScope(): Scope {
  const scope = new Scope();
  onTestFinished(() => scope.end());
  return scope;
}

/** Ends with the test file, or with the group of tests in which it is called; at the top of either. */
export function fileScope(): Scope {
  const scope = new Scope();
  afterAll(() => scope.end());
  return scope;
}
