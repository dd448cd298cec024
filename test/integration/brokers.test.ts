/** Brokers that are away, come back, come second, ask for certificates. */

import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { createCertificates } from '../helpers/certificates.ts';
import { startHost } from '../helpers/host.ts';
import { freePort } from '../helpers/loopback.ts';
import { createMosquitto, startMosquitto } from '../helpers/mosquitto.ts';
import { connectMqttServer, type Published } from '../helpers/mqtt-server.ts';
import { testScope } from '../helpers/test-scope.ts';
import { waitFor } from '../helpers/wait-for.ts';
import { echoWorker } from '../helpers/worker-files.ts';
import { createHome, startYggd } from '../helpers/yggd.ts';

test('a broker that is away at the start is waited for, and the workers do not wait with it', async () => {
  const scope = testScope();
  const broker = await createMosquitto(scope);
  const home = createHome(scope, [echoWorker()]);
  const yggd = startYggd(scope, { home, brokers: [broker.url] });
  await waitFor(() => home.processes().length > 0, { what: 'the worker' });
  await broker.start();
  const server = await connectMqttServer(scope, broker.url);
  await server.online(['echo'], { deadline: 30_000 });
  await server.answer(await server.send({ directive: 'echo' }));
  await yggd.stopCleanly();
});

test('a broker that never comes does not keep it from stopping', async () => {
  const scope = testScope();
  const home = createHome(scope, [echoWorker()]);
  const yggd = startYggd(scope, { home, brokers: [`mqtt://127.0.0.1:${await freePort()}`] });
  await waitFor(() => home.processes().length > 0, { what: 'the worker' });
  expect(await yggd.stopCleanly()).toBeLessThan(5_000);
});

test('of several brokers the first that answers is taken', async () => {
  const scope = testScope();
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const home = createHome(scope, [echoWorker()]);
  const away = `mqtt://127.0.0.1:${await freePort()}`;
  startYggd(scope, { home, brokers: [away, broker.url] });
  await server.online(['echo'], { deadline: 20_000 });
  await server.answer(await server.send({ directive: 'echo' }));
});

test('a broker that restarts is found again, and what was sent meanwhile is answered', async () => {
  const { broker, server, yggd } = await startHost(testScope(), {
    workers: [echoWorker()],
    handlers: ['echo'],
    mosquitto: { persistence: true },
    flags: ['--mqtt-reconnect-delay', '100ms'],
  });
  await server.answer(await server.send({ directive: 'echo' }));
  await broker.stop();
  const after = server.statuses.length;
  await broker.start();
  await server.online(['echo'], { after, deadline: 30_000 });
  await server.answer(await server.send({ directive: 'echo', content: 'again' }), 20_000);
  await yggd.stopCleanly();
});

test('answers of a time without a broker are published when it is back', async () => {
  const scope = testScope();
  const { broker, server } = await startHost(scope, {
    workers: [echoWorker()],
    handlers: ['echo'],
    mosquitto: { persistence: true },
    flags: ['--mqtt-reconnect-delay', '100ms'],
  });
  const ids = Array.from({ length: 200 }, (_, n) => server.send({ directive: 'echo', content: n }));
  const all = Promise.all(ids);
  await waitFor(() => server.data.length > 10, { what: 'some answers' });
  await broker.stop();
  await broker.start();
  for (const id of await all) await server.answer(id, 30_000);
});

test('a broker that freezes is noticed by its silence', { timeout: 90_000 }, async () => {
  const { broker, server, yggd } = await startHost(testScope(), {
    workers: [echoWorker()],
    handlers: ['echo'],
    flags: ['--mqtt-keep-alive', '5s', '--mqtt-reconnect-delay', '100ms', '--mqtt-connect-timeout', '2s'],
  });
  broker.freeze();
  await waitFor(
    () => yggd.log.some(({ msg }) => /lost|closed|silent|broker/i.test(msg) && !/connected to/i.test(msg)),
    {
      what: 'log line about the broker',
      deadline: 30_000,
    },
  );
  broker.wake();
  await server.answer(await server.send({ directive: 'echo' }), 30_000);
});

describe('TLS', () => {
  test('the certificate is shown, and its common name is the client id', async () => {
    const scope = testScope();
    const certificates = createCertificates(scope);
    const broker = await startMosquitto(scope, { tls: certificates });
    const own = certificates.client('server');
    const mqtt = {
      ca: readFileSync(certificates.ca),
      cert: readFileSync(own.cert),
      key: readFileSync(own.key),
    };
    const server = await connectMqttServer(scope, broker.url, { clientId: 'host-by-name', mqtt });
    const pair = certificates.client('host-by-name');
    const home = createHome(scope, [echoWorker()]);
    const yggd = startYggd(scope, {
      home,
      brokers: [broker.url],
      clientId: '',
      flags: ['--cert-file', pair.cert, '--key-file', pair.key, '--ca-root', certificates.ca],
    });
    await server.online(['echo']);
    await server.answer(await server.send({ directive: 'echo' }));
    await yggd.stopCleanly();
  });

  test('a broker whose certificate nobody vouches for is refused', async () => {
    const scope = testScope();
    const [ours, theirs] = [createCertificates(scope), createCertificates(scope)];
    const broker = await startMosquitto(scope, { tls: theirs });
    const pair = ours.client('host-by-name');
    const yggd = startYggd(scope, {
      home: createHome(scope),
      brokers: [broker.url],
      flags: ['--cert-file', pair.cert, '--key-file', pair.key, '--ca-root', ours.ca],
    });
    await waitFor(() => yggd.log.some((line) => /certificate|issuer|verify/i.test(JSON.stringify(line))), {
      what: 'log line about the certificate',
      deadline: 15_000,
      detail: () => yggd.output,
    });
    expect(yggd.running).toBe(true);
    await yggd.stopCleanly();
  });
});

const isPong = ({ json }: Published): boolean => json['content'] === 'pong';

test('a client id is made once and kept', async () => {
  const scope = testScope();
  const broker = await startMosquitto(scope);
  const home = createHome(scope);
  const seen: string[] = [];
  for (let start = 0; start < 2; start += 1) {
    const yggd = startYggd(scope, { home, brokers: [broker.url], clientId: '' });
    const file = `${home.stateDir}/client-id`;
    await waitFor(
      () => {
        try {
          seen[start] = readFileSync(file, 'utf8').trim();
        } catch {}
        return seen[start];
      },
      { what: 'the client id' },
    );
    const server = await connectMqttServer(scope, broker.url, { clientId: seen[start] ?? '' });
    // Before the first subscription, what is sent is lost.
    await waitFor(
      async () => {
        await server.command('ping');
        return server.published.some(isPong);
      },
      { what: 'pong' },
    );
    await yggd.stopCleanly();
  }
  expect(seen[0]).toMatch(/^[\w.-]+$/);
  expect(seen[1]).toBe(seen[0]);
});

test('a topic prefix may contain a slash', async () => {
  const scope = testScope();
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url, { prefix: 'redhat/insights' });
  startYggd(scope, {
    home: createHome(scope, [echoWorker()]),
    brokers: [broker.url],
    flags: ['--topic-prefix', 'redhat/insights'],
  });
  await server.online(['echo']);
  await server.answer(await server.send({ directive: 'echo' }));
});
