import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { createTestDaemon, type TestDaemonOptions } from '../../../src/testing/index.ts';
import { type HttpResult, Results, readHttpResult } from '../../../src/worker/http-result.ts';
import { createWorker, type OnMessage } from '../../../src/worker/index.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import { testScope } from '../../helpers/test-scope.ts';

async function send(onMessage: OnMessage, options: TestDaemonOptions = {}) {
  const daemon = await createTestDaemon(options);
  testScope().defer(() => daemon.stop());
  await daemon.run(createWorker({ log: silentLogger, handler: 'poster', onMessage }));
  return { daemon, result: await daemon.send({ directive: 'poster', content: { n: 1 } }) };
}

test('an answer that is posted tells what the server said', async () => {
  let told: HttpResult | undefined;
  const { result } = await send(
    async (message, job) => {
      told = await job.post('https://example.test/jobs/7', message.json(), { metadata: { job: '7' } });
    },
    {
      post: (answer) => ({
        status: 201,
        headers: { 'x-job': answer.metadata['job'] ?? '' },
        body: { id: 1 },
      }),
    },
  );
  expect(result.outcome).toBe('done');
  expect(result.answers[0]).toMatchObject({
    directive: 'https://example.test/jobs/7',
    responseTo: 'message-1',
  });
  expect(result.answers[0]?.json()).toEqual({ n: 1 });
  expect(told).toMatchObject({ status: 201, headers: { 'x-job': '7' } });
  expect(String(Buffer.from(told?.body ?? []))).toBe('{"id":1}');
});

test('an answer that is not posted waits for no result', async () => {
  const { result } = await send((message) => message.content, {
    post: () => {
      throw new Error('nobody asked');
    },
  });
  expect(result).toMatchObject({ outcome: 'done' });
});

test('what is no address is an error of the handler', async () => {
  const { result } = await send((_, job) => job.post('jobs/7', 1));
  expect(result).toMatchObject({ outcome: 'failed', code: 'ERR_INVALID_URL' });
});

test('a result that does not come is unknown after a while, and one that comes late is not told', () => {
  const clock = new HandClock();
  const told: number[] = [];
  const results = new Results(clock);
  for (const id of ['a', 'b', 'c']) results.expect(id, ({ status }) => told.push(status));
  results.begin('a');
  results.forget('b');
  clock.wind(75_000);
  results.tell('a', { status: 200, headers: {}, body: new Uint8Array(0) });
  results.tell('b', { status: 200, headers: {}, body: new Uint8Array(0) });
  expect(told).toEqual([0]);
  results.giveUp();
  expect(told).toEqual([0, 0]);
});

test.each([
  ['', 0, {}, ''],
  ['{"StatusCode":200,"Body":{"id":1},"Metadata":{"a":"b"}}', 200, { a: 'b' }, '{"id":1}'],
  ['{"StatusCode":404,"Body":"not here","Metadata":{}}', 404, {}, 'not here'],
  ['{"StatusCode":204,"Body":null}', 204, {}, ''],
  ['[]', 0, {}, ''],
  ['null', 0, {}, ''],
  ['no JSON', 0, {}, ''],
])('the answer of the plain protocol %j', (text, status, headers, body) => {
  const result = readHttpResult(Buffer.from(text));
  expect({ ...result, body: String(Buffer.from(result.body)) }).toEqual({ status, headers, body });
});

test('a worker asks the daemon for its settings', async () => {
  const scope = testScope();
  const worker = createWorker({ log: silentLogger, handler: 'asks', onMessage() {} });
  await expect(worker.config()).rejects.toMatchObject({ code: 'YGG_CLOSED' });
  const daemon = await createTestDaemon({ config: { certFile: '/etc/pki/cert.pem', caRoots: ['/a', '/b'] } });
  scope.defer(() => daemon.stop());
  await daemon.run(worker);
  expect(await worker.config()).toEqual({
    logLevel: 'INFO',
    clientId: 'test-host',
    server: '',
    certFile: '/etc/pki/cert.pem',
    keyFile: '',
    caRoots: ['/a', '/b'],
  });
});

test('a daemon that does not tell its settings is no error', async () => {
  const daemon = await createTestDaemon();
  testScope().defer(() => daemon.stop());
  const worker = createWorker({ log: silentLogger, handler: 'asks', onMessage() {} });
  await daemon.run(worker);
  expect(await worker.config()).toBeUndefined();
});
