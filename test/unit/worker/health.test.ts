import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { createTestDaemon } from '../../../src/testing/index.ts';
import { responseFor } from '../../../src/worker/health.ts';
import { createWorker, daemonConnection, type HealthCheck } from '../../../src/worker/index.ts';
import { freePort } from '../../helpers/loopback.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

test.each([
  [
    'all are healthy',
    [{ name: 'disk', healthy: true, status: { free: 3 } }],
    200,
    '{"disk":{"healthy":true,"status":{"free":3}}}',
  ],
  [
    'one is not',
    [
      { name: 'a', healthy: true },
      { name: 'b', healthy: false },
    ],
    500,
    '{"a":{"healthy":true},"b":{"healthy":false}}',
  ],
  [
    'a result cannot be said',
    [{ name: 'a', healthy: true, status: 1n }],
    500,
    expect.stringContaining('BigInt'),
  ],
])('%s', (_, results, status, body) => {
  expect(responseFor(results)).toEqual({ status, body });
});

async function ask(
  health: readonly HealthCheck[],
): Promise<{ status: number; body: unknown; told: unknown }> {
  const daemon = await createTestDaemon();
  testScope().defer(() => daemon.stop());
  const port = await freePort();
  const healthEndpoint = { port };
  await daemon.run(
    createWorker({ log: silentLogger, handler: 'echo', health, healthEndpoint, onMessage() {} }),
  );
  if (health.length > 0) await waitFor(() => daemon.health.length > 0, { what: 'health' });
  const response = await fetch(`http://127.0.0.1:${port}/`);
  return { status: response.status, body: await response.json(), told: daemon.health };
}

test('the endpoint and the daemon hear the same', async () => {
  const failing: HealthCheck = () => {
    throw new Error('no disk');
  };
  expect(await ask([daemonConnection, failing])).toMatchObject({
    status: 500,
    body: { DaemonConnection: { healthy: true }, failing: { healthy: false, status: { error: 'no disk' } } },
    told: [
      { name: 'DaemonConnection', healthy: true },
      { name: 'failing', healthy: false, status: '{"error":"no disk"}' },
    ],
  });
});

test('without checks there is a default one', async () => {
  expect(await ask([])).toMatchObject({ status: 200, body: { DefaultCheck: { healthy: true } } });
});

test('a check that finds nothing is not healthy, and the worker goes on', async () => {
  const nothing = (() => undefined) as unknown as HealthCheck;
  expect(await ask([nothing])).toMatchObject({
    status: 500,
    body: { nothing: { healthy: false, status: { error: 'the check found nothing' } } },
    told: [{ name: 'nothing', healthy: false }],
  });
});

test('checks run once at a time, however often they are asked for', async () => {
  let runs = 0;
  const port = await freePort();
  const daemon = await createTestDaemon();
  testScope().defer(() => daemon.stop());
  const slow: HealthCheck = async () => {
    runs += 1;
    await new Promise((resolve) => setTimeout(resolve, 200));
    return { name: 'slow', healthy: true };
  };
  await daemon.run(
    createWorker({
      log: silentLogger,
      handler: 'echo',
      health: [slow],
      healthEndpoint: { port },
      onMessage() {},
    }),
  );
  await waitFor(() => daemon.health.length > 0, { what: 'health' });
  runs = 0;
  await Promise.all(Array.from({ length: 20 }, () => fetch(`http://127.0.0.1:${port}/`)));
  expect(runs).toBeLessThan(10);
});
