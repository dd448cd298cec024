/** MQTT 5, as mosquitto speaks it; what other brokers may answer is in the unit tests of `mqtt`. */
import { expect, test } from 'vitest';
import { startHost } from '../helpers/host.ts';
import { startMosquitto } from '../helpers/mosquitto.ts';
import { testScope } from '../helpers/test-scope.ts';
import { echoWorker } from '../helpers/worker-files.ts';
import { createHome, startYggd } from '../helpers/yggd.ts';

const flags = ['--mqtt-version', '5', '--max-message-size', '64KiB'];

test('messages are answered, kept while the daemon is away, and reported when they are too large', async () => {
  const { broker, server, yggd, restart } = await startHost(testScope(), {
    workers: [echoWorker()],
    handlers: ['echo'],
    flags,
  });
  await server.answer(await server.send({ directive: 'echo', content: 'first' }));
  const large = await server.send({ directive: 'echo', content: 'x'.repeat(300_000) });
  expect((await server.answer(large)).json['metadata']).toMatchObject({ reason: 'too-large' });
  await yggd.stopCleanly();
  expect(broker.output).toMatch(/p5, c0/);
  const ids = await Promise.all(
    Array.from({ length: 100 }, (_, content) => server.send({ directive: 'echo', content })),
  );
  const again = await restart();
  for (const id of ids) await server.answer(id);
  await again.crash();
  const after = await server.send({ directive: 'echo', content: 'after a crash' });
  const third = await restart();
  await server.answer(after);
  await third.stopCleanly();
});

test('what reaches nobody is counted', async () => {
  const scope = testScope();
  const broker = await startMosquitto(scope);
  const yggd = startYggd(scope, { home: createHome(scope), brokers: [broker.url], flags });
  await yggd.says(/^connected to the broker$/);
  await yggd.stopCleanly();
  const [counted] = yggd.logged(/^counted since the start$/);
  expect(Number(counted?.['publishes_unheard'])).toBeGreaterThan(0);
});
