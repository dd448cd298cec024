/** Some thousands of what `npm run faults -- --only hostile-worker --long` does a million of. */
import { expect, test } from 'vitest';
import { testScope } from '../helpers/test-scope.ts';
import { hostileWorker } from './hostile/worker.ts';

test('a worker that says whatever it likes neither crashes the dispatcher nor holds up another one', async () => {
  const { failures, inputs, calls, frames, understood } = await hostileWorker(testScope(), {
    seed: 1,
    inputs: 5_000,
  });
  expect(failures).toEqual([]);
  expect(inputs).toBeGreaterThanOrEqual(5_000);
  expect(calls).toBeGreaterThan(300);
  expect(frames).toBeGreaterThan(1_000);
  // Much of it was understood, so what follows was read too.
  expect(understood).toBeGreaterThan(inputs / 20);
});
