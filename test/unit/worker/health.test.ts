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
