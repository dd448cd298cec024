/** Daemons that know Register and Send and nothing else, as the Go daemons do. */
import { randomUUID } from 'node:crypto';
import path from 'node:path';
import type { ServerUnaryCall, sendUnaryData } from '@grpc/grpc-js';
import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { createWorker } from '../../../src/worker/index.ts';
import { type Data, loadProtocol, type Registration } from '../../../src/worker/protocol.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

interface Granted {
  readonly registered: boolean;
  readonly address: string;
}

interface Receipt {
  readonly response: Uint8Array;
}

interface OtherDaemon {
  /** What workers sent. */
  readonly sent: readonly Data[];
  readonly registered: readonly string[];
  /** Hands a message over; resolves when it was accepted. */
  send(message: Data): Promise<void>;
}

/** `listen` and `dial` are addresses as grpc-js takes them; `tell` is what the registration answers. */
async function startOther(listen: string, tell: string, dial: string): Promise<OtherDaemon> {
  const { grpc, Register, Send, Take } = await loadProtocol();
  const sent: Data[] = [];
  const registered: string[] = [];
  const server = new grpc.Server();
  server.register(
    Register.path,
    ({ request }: ServerUnaryCall<Registration, Granted>, answer: sendUnaryData<Granted>) => {
      registered.push(request.handler);
      answer(null, { registered: true, address: tell });
    },
    Register.responseSerialize,
    Register.requestDeserialize,
    'unary',
  );
  server.register(
    Send.path,
    ({ request }: ServerUnaryCall<Data, Receipt>, answer: sendUnaryData<Receipt>) => {
      sent.push(request);
      answer(null, { response: new Uint8Array(0) });
    },
    Send.responseSerialize,
    Send.requestDeserialize,
    'unary',
  );
  const insecure = grpc.ServerCredentials.createInsecure();
  await new Promise((resolve, reject) => {
    server.bindAsync(listen, insecure, (error) => (error ? reject(error) : resolve(undefined)));
  });
  testScope().defer(() => server.forceShutdown());
  const send = (message: Data): Promise<void> =>
    new Promise((resolve, reject) => {
      const client = new grpc.Client(dial, grpc.credentials.createInsecure());
      const { path: name, requestSerialize, responseDeserialize } = Take;
      const options = { deadline: Date.now() + 10_000 };
      client.waitForReady(options.deadline, () =>
        client.makeUnaryRequest(name, requestSerialize, responseDeserialize, message, options, (error) => {
          client.close();
          if (error) reject(error);
          else resolve();
        }),
      );
    });
  return { sent, registered, send };
}

async function worksUnder(daemon: OtherDaemon, address: string): Promise<void> {
  const worker = createWorker({
    log: silentLogger,
    handler: 'echo',
    async onMessage(message, job) {
      const { status } = await job.post('https://example.test/jobs/7', 1);
      expect(await worker.config()).toBeUndefined();
      return { heard: message.json(), status };
    },
  });
  const running = worker.run({ daemon: address, signals: false });
  testScope().defer(() => worker.stop());
  await waitFor(() => daemon.registered.length > 0, { what: 'registration' });
  const messageId = randomUUID();
  const rest = { responseTo: '', directive: 'echo', metadata: {} };
  await daemon.send({ ...rest, messageId, content: Buffer.from('"hello"') });
  await waitFor(() => daemon.sent.length > 1, { what: 'answers' });
  const told = daemon.sent.map(({ directive, responseTo, content }) => [
    directive,
    responseTo,
    String(content),
  ]);
  expect(told).toEqual([
    ['https://example.test/jobs/7', messageId, '1'],
    ['echo', messageId, '{"heard":"hello","status":0}'],
  ]);
  await worker.stop();
  await running;
}

test('a worker registers where Attach and GetConfig are not known', async () => {
  const folder = tempDir(testScope());
  const [daemonSocket, workerSocket] = [path.join(folder, 'd.sock'), path.join(folder, 'w.sock')];
  const daemon = await startOther(`unix:${daemonSocket}`, workerSocket, `unix:${workerSocket}`);
  await worksUnder(daemon, daemonSocket);
});

test('an answer that is larger than the daemon receives is not sent again, and the handler hears of it', async () => {
  const folder = tempDir(testScope());
  const [daemonSocket, workerSocket] = [path.join(folder, 'd.sock'), path.join(folder, 'w.sock')];
  const daemon = await startOther(`unix:${daemonSocket}`, workerSocket, `unix:${workerSocket}`);
  const worker = createWorker({
    log: silentLogger,
    handler: 'echo',
    async onMessage(_message, job) {
      // More than the four mebibytes of a server that says nothing else.
      return await job.reply(Buffer.alloc(5_000_000)).catch(() => 'it was too large');
    },
  });
  const running = worker.run({ daemon: daemonSocket, signals: false });
  testScope().defer(() => worker.stop());
  await waitFor(() => daemon.registered.length > 0, { what: 'registration' });
  const rest = { responseTo: '', directive: 'echo', metadata: {} };
  await daemon.send({ ...rest, messageId: 'm', content: Buffer.from('1') });
  await waitFor(() => daemon.sent.length > 0, { what: 'the answer' });
  expect(daemon.sent.map(({ content }) => String(content))).toEqual(['"it was too large"']);
  await worker.stop();
  await running;
});

const major = Number.parseInt(process.versions.node, 10);

test.runIf(major >= 22)('abstract sockets are reached, both ways', async () => {
  const name = `yggd-test-${randomUUID()}`;
  const daemon = await startOther(`unix:\0${name}`, `@${name}-w`, `unix:\0${name}-w`);
  await worksUnder(daemon, `@${name}`);
});

test.runIf(major < 22)(
  'a worker that is to listen on an abstract socket says which Node it needs',
  async () => {
    const socket = path.join(tempDir(testScope()), 'd.sock');
    await startOther(`unix:${socket}`, '@yggd-test-worker', '');
    const worker = createWorker({ log: silentLogger, handler: 'echo', onMessage() {} });
    await expect(worker.run({ daemon: socket, signals: false })).rejects.toThrow('use Node 22');
  },
);
