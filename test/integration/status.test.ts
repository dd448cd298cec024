/** What the host says about itself on control/out: online, offline, the will. */
import { writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { differences } from '../helpers/captures.ts';
import { startHost } from '../helpers/host.ts';
import { startMosquitto } from '../helpers/mosquitto.ts';
import { connectMqttServer, contentOf, dispatchersOf } from '../helpers/mqtt-server.ts';
import { testScope } from '../helpers/test-scope.ts';
import { stays, waitFor } from '../helpers/wait-for.ts';
import { echoWorker, nodeWorker } from '../helpers/worker-files.ts';
import { createHome, startYggd } from '../helpers/yggd.ts';

test('the first status of a host without workers is the captured one, QoS 1 and not retained', async () => {
  const { server, yggd } = await startHost(testScope(), { handlers: [] });
  const status = await server.online([]);
  expect(differences(status.text, 'connection-status-initial')).toEqual([]);
  expect(status).toMatchObject({ qos: 1, retain: false, topic: 'control/out' });
  await yggd.stopCleanly();
});

test('the topics are primed first by an empty message', async () => {
  const { server } = await startHost(testScope(), { handlers: [] });
  expect(server.published[0]).toMatchObject({ topic: 'data/out', text: '', qos: 0 });
});

test('mqtt-prime-topic = false leaves that out', async () => {
  const { server } = await startHost(testScope(), { handlers: [], flags: ['--mqtt-prime-topic=false'] });
  expect(server.published.filter(({ text }) => text === '')).toEqual([]);
});

test('a registered worker is in the map, with an object for its features', async () => {
  const { server, yggd } = await startHost(testScope(), { workers: [echoWorker()], handlers: ['echo'] });
  const status = await server.online(['echo']);
  const instead = { '.content.dispatchers.echo': {} };
  expect(differences(status.text, 'connection-status-echo-registered', instead)).toEqual([]);
  await yggd.stopCleanly();
});

test('features are shown as the worker gave them, and names with hyphens stay as they are', async () => {
  const features = { version: '1.2.3', 'Package-Manager': 'dnf' };
  const worker = nodeWorker({ handler: 'rhc-worker-playbook', features });
  const { server } = await startHost(testScope(), { workers: [worker], handlers: ['rhc-worker-playbook'] });
  const status = await server.online(['rhc-worker-playbook']);
  expect(dispatchersOf(status)).toEqual({ 'rhc-worker-playbook': features });
});

test('tags are strings, whatever TOML had, and a changed file is published', async () => {
  const scope = testScope();
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url);
  const home = createHome(scope, [echoWorker()]);
  const tags = path.join(home.configDir, 'tags.toml');
  writeFileSync(
    tags,
    'f = 1.5\nhot = true\nmore = "x"\nrack = 4\nsite = "lab"\nwhen = 2021-01-02T03:04:05Z\n',
  );
  startYggd(scope, { home, brokers: [broker.url] });
  const status = await server.online(['echo']);
  const instead = { '.content.dispatchers.echo': {} };
  expect(differences(status.text, 'connection-status-with-tags', instead)).toEqual([]);

  writeFileSync(tags, 'site = "field"\n');
  await waitFor(
    () => server.statuses.some((later) => JSON.stringify(contentOf(later)['tags']) === '{"site":"field"}'),
    { what: 'status with the new tags', deadline: 15_000 },
  );
});

test('a dead worker leaves the map', async () => {
  const worker = nodeWorker({ handler: 'mortal', behaviours: ['die-on-message'] });
  const { server } = await startHost(testScope(), { workers: [worker], handlers: ['mortal'] });
  const after = server.statuses.length;
  await server.send({ directive: 'mortal' });
  const status = await server.online([], { after });
  expect(differences(status.text, 'connection-status-worker-death')).toEqual([]);
  await server.online(['mortal'], { after });
});

test('every status has an id of its own and times that do not go back', async () => {
  const { server, home } = await startHost(testScope(), { workers: [echoWorker()], handlers: ['echo'] });
  home.install(nodeWorker({ handler: 'second' }));
  await server.online(['echo', 'second']);
  const ids = server.statuses.map(({ json }) => json['message_id']);
  expect(new Set(ids).size).toBe(ids.length);
  const times = server.statuses.map(({ json }) => Date.parse(String(json['sent'])));
  expect(times).toEqual([...times].sort((a, b) => a - b));
});

test('the same map is not published twice for nothing', async () => {
  const { server } = await startHost(testScope(), { workers: [echoWorker()], handlers: ['echo'] });
  const contents = server.statuses.map((status) => JSON.stringify(contentOf(status)));
  expect(new Set(contents).size).toBe(contents.length);
  const count = server.statuses.length;
  await stays(() => server.statuses.length > count, { what: 'another status', span: 500 });
});

test('a killed daemon is offline by its will', async () => {
  const { server, yggd } = await startHost(testScope(), { handlers: [] });
  await yggd.crash();
  const will = await server.offline();
  const lists = '.content.canonical_facts';
  const instead = {
    [`${lists}.ip_addresses`]: [],
    [`${lists}.mac_addresses`]: [],
    '.content.dispatchers': {},
  };
  expect(differences(will.text, 'last-will', instead)).toEqual([]);
  expect(will).toMatchObject({ qos: 1, retain: false });
});

test('a stopped daemon says so itself: the disconnect event, then offline, and no will follows', async () => {
  const { server, yggd } = await startHost(testScope(), { workers: [echoWorker()], handlers: ['echo'] });
  await yggd.stopCleanly();
  await server.offline();
  const last = server.published.filter(({ text }) => text !== '').slice(-2);
  expect(last[0]?.json).toMatchObject({ type: 'event', content: 'disconnect' });
  expect(contentOf(last[1] ?? (last[0] as never))).toMatchObject({ state: 'offline', dispatchers: {} });
  const count = server.published.length;
  await stays(() => server.published.length > count, { what: 'another message', span: 300 });
});
