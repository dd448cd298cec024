/** Configuration files as the Go daemons of both generations have them on hosts, and an instance with one of its own. */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { type Certificates, createCertificates } from '../helpers/certificates.ts';
import { Child } from '../helpers/child.ts';
import { freePort } from '../helpers/loopback.ts';
import { type Mosquitto, startMosquitto } from '../helpers/mosquitto.ts';
import { connectMqttServer } from '../helpers/mqtt-server.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';
import { echoWorker, exampleWorker, nodeWorker } from '../helpers/worker-files.ts';
import { createHome, startYggd } from '../helpers/yggd.ts';

interface Host {
  readonly broker: Mosquitto;
  /** Of the same broker, as websockets with TLS. */
  readonly websocket: string;
  readonly authority: Certificates;
  readonly cert: string;
  readonly key: string;
}

/** What 0.1 and rhcd have; the client id is the name in the certificate. */
function firstGeneration({ broker, authority, cert, key }: Host): string {
  return `# yggdrasil global configuration settings
broker = ["${broker.url}"]
cert-file = "${cert}"
key-file = "${key}"
ca-root = ["${authority.ca}"]
log-level = "error"
topic-prefix = "redhat/insights"
data-host = "cert.example.com"
protocol = "mqtt"
exclude-worker = ["excluded-worker"]
socket-addr = "@yggd-dispatcher-XXXXXX"
`;
}

/** What rhcd is installed with: websockets, at no path of their own. */
function firstGenerationOverWebsockets({ websocket, authority, cert, key }: Host): string {
  return `# rhc global configuration settings

broker = ["${websocket}"]
cert-file = "${cert}"
key-file = "${key}"
ca-root = ["${authority.ca}"]
log-level = "error"
exclude-worker = ["excluded-worker"]
`;
}

/** What 0.2 to 0.4 have. */
function secondGeneration({ broker, authority, cert, key }: Host): string {
  return `# yggdrasil global configuration settings
protocol = "mqtt"
server = ["${broker.url}"]
cert-file = "${cert}"
key-file = "${key}"
ca-root = ["${authority.ca}"]
client-id = "host-of-the-second-generation"
path-prefix = "yggdrasil"
exclude-worker = ["excluded-worker"]
log-level = "info"
http-retries = 3
http-timeout = "30s"
mqtt-connect-retry = true
mqtt-connect-retry-interval = "30s"
mqtt-auto-reconnect = true
mqtt-reconnect-delay = "0s"
mqtt-connect-timeout = "30s"
mqtt-publish-timeout = 30000000000
message-journal = "/var/lib/yggdrasil/messages.db"
`;
}

test.each([
  { name: 'first', configOf: firstGeneration, clientId: 'host-1', prefix: 'redhat/insights' },
  {
    ...{ name: 'first, over wss,', configOf: firstGenerationOverWebsockets },
    ...{ clientId: 'host-1', prefix: 'yggdrasil' },
  },
  {
    ...{ name: 'second', configOf: secondGeneration },
    ...{ clientId: 'host-of-the-second-generation', prefix: 'yggdrasil' },
  },
])('the file of the $name generation starts yggd as it is', async ({ configOf, clientId, prefix }) => {
  const scope = testScope();
  const authority = createCertificates(scope);
  const port = await freePort();
  const own = authority.server;
  const secure = ['require_certificate true', `certfile ${own.cert}`, `keyfile ${own.key}`];
  const lines = [`listener ${port} 127.0.0.1`, 'protocol websockets', `cafile ${authority.ca}`, ...secure];
  const broker = await startMosquitto(scope, { tls: authority, lines });
  const websocket = `wss://127.0.0.1:${port}`;
  const { cert, key } = authority.client('host-1');
  const pair = authority.client('server');
  const mqtt = {
    ...{ ca: readFileSync(authority.ca), cert: readFileSync(pair.cert), key: readFileSync(pair.key) },
  };
  const server = await connectMqttServer(scope, broker.url, { clientId, prefix, mqtt });
  const home = createHome(scope, [echoWorker(), nodeWorker({ name: 'excluded-worker' })]);
  const file = path.join(home.configDir, 'config.toml');
  writeFileSync(file, configOf({ broker, websocket, authority, cert, key }));
  const yggd = startYggd(scope, { home, brokers: [], clientId: '', flags: ['--config', file] });
  await server.online(['echo']);
  await server.answer(await server.send({ directive: 'echo' }));
  const complaints = yggd.log.filter(({ level }) => level === 'warn' || level === 'error');
  expect(complaints.filter(({ msg }) => !/has no effect|is not used/.test(msg))).toEqual([]);
  await yggd.stopCleanly();
});

test('an instance works from its file, with the directories its unit gives it', async () => {
  const scope = testScope();
  const broker = await startMosquitto(scope);
  const server = await connectMqttServer(scope, broker.url, { clientId: 'lab' });
  const home = createHome(scope, [echoWorker(), exampleWorker('python'), exampleWorker('ruby')]);
  const root = tempDir(scope);
  const [runtime, state] = [path.join(root, 'run@lab'), path.join(root, 'state@lab')];
  for (const made of [runtime, state]) mkdirSync(made, { mode: 0o700 });
  const file = path.join(home.configDir, 'yggdrasil-lab.toml');
  const lines = {
    broker: broker.url,
    'client-id': 'lab',
    'worker-dir': home.workerDir,
    'config-dir': home.configDir,
  };
  writeFileSync(
    file,
    Object.entries(lines)
      .map(([name, value]) => `${name} = "${value}"\n`)
      .join(''),
  );
  const program = path.resolve(import.meta.dirname, '../../dist/cmd/yggd.js');
  const env = { ...process.env, RUNTIME_DIRECTORY: runtime, STATE_DIRECTORY: state };
  const yggd = new Child(scope, process.execPath, [program, '--config', file], { env });
  const directives = ['echo', 'python', 'ruby'];
  await server.online(directives);
  for (const directive of directives) await server.answer(await server.send({ directive }));
  yggd.kill('SIGTERM');
  expect(await yggd.ended(25_000)).toEqual({ code: 0, signal: null });
});
