/** Some thousands of what `npm run faults -- --only hostile-broker --long` says a million of. */
import { expect, test } from 'vitest';
import { testScope } from '../helpers/test-scope.ts';
import { hostileBroker } from './hostile/broker.ts';

test('a broker that says whatever it likes neither crashes nor hangs a connection', async () => {
  const { failures, inputs, taken, connections, overWebsockets } = await hostileBroker(testScope(), {
    seed: 1,
    inputs: 5_000,
  });
  expect(failures).toEqual([]);
  expect(inputs).toBeGreaterThanOrEqual(5_000);
  // Most of what was said was understood, so the rest was read too.
  expect(taken).toBeGreaterThan(inputs / 20);
  expect(overWebsockets).toBeGreaterThan(inputs / 80);
  expect(connections).toBeGreaterThan(100);
});
