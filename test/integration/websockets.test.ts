/** Brokers behind websockets, plain and with TLS, and both versions of MQTT. */
import { expect, test } from 'vitest';
import { createCertificates } from '../helpers/certificates.ts';
import { freePort } from '../helpers/loopback.ts';
import { startMosquitto } from '../helpers/mosquitto.ts';
import { connectMqttServer } from '../helpers/mqtt-server.ts';
import { testScope } from '../helpers/test-scope.ts';
import { echoWorker } from '../helpers/worker-files.ts';
import { createHome, startYggd } from '../helpers/yggd.ts';

test.each([
  ['ws', '4'],
  ['wss', '5'],
])('messages come and go over %s with MQTT version %s', async (scheme, version) => {
  const scope = testScope();
  const certificates = createCertificates(scope);
  const port = await freePort();
  const { ca, server: own } = certificates;
  const secure = ['require_certificate true', `cafile ${ca}`, `certfile ${own.cert}`, `keyfile ${own.key}`];
  const lines = [`listener ${port} 127.0.0.1`, 'protocol websockets', ...(scheme === 'wss' ? secure : [])];
  const broker = await startMosquitto(scope, { lines });
  const server = await connectMqttServer(scope, broker.url);
  const pair = certificates.client('host');
  const yggd = startYggd(scope, {
    home: createHome(scope, [echoWorker()]),
    brokers: [`${scheme}://127.0.0.1:${port}/mqtt`],
    flags: [
      ...['--mqtt-version', version, '--max-message-size', '1KiB', '--ca-root', ca],
      ...['--cert-file', pair.cert, '--key-file', pair.key],
    ],
  });
  await server.online(['echo']);
  const ids = await Promise.all(
    Array.from({ length: 20 }, (_, content) => server.send({ directive: 'echo', content })),
  );
  for (const id of ids) await server.answer(id);
  const large = await server.send({ directive: 'echo', content: 'x'.repeat(70_000) });
  expect((await server.answer(large)).json['metadata']).toMatchObject({ reason: 'too-large' });
  await server.answer(await server.send({ directive: 'echo', content: 'after it' }));
  await yggd.stopCleanly();
});
