#!/usr/bin/env node
/**
 * Echo: sends every message back as it came, on plain gRPC and without any SDK.
 *
 * It answers to the directive `echo`, or to the name it is started with. Everything a worker has to do is here:
 * register, listen where it is told, accept at once, answer in its own time, and end when it is asked to.
 */
import { randomUUID } from 'node:crypto';
import { createRequire } from 'node:module';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

interface Data {
  readonly message_id: string;
  readonly metadata: Record<string, string>;
  readonly content: Uint8Array;
  readonly response_to: string;
  readonly directive: string;
}

const handler = process.argv[2] ?? 'echo';
const daemon = process.env['YGG_SOCKET_ADDR'];
if (!daemon) fail('YGG_SOCKET_ADDR is not set: this program is started by yggd.');

const file = createRequire(import.meta.url).resolve('yggd/protocol/yggdrasil.proto');
const yggdrasil = grpc.loadPackageDefinition(
  loadSync(file, { keepCase: true, longs: Number, defaults: true }),
)['yggdrasil'] as grpc.GrpcObject;
const Dispatcher = yggdrasil['Dispatcher'] as grpc.ServiceClientConstructor;
const Worker = yggdrasil['Worker'] as grpc.ServiceClientConstructor;

const dispatcher = new Dispatcher(daemon, grpc.credentials.createInsecure());
const server = new grpc.Server();

/** Full, or not there at the moment: the same answer is sent again. */
const again = new Set([grpc.status.RESOURCE_EXHAUSTED, grpc.status.UNAVAILABLE]);

/** Messages accepted and not answered yet. */
let inHand = 0;
let ending = false;

server.addService(Worker.service, {
  Send(call: grpc.ServerUnaryCall<Data, object>, accept: grpc.sendUnaryData<object>) {
    inHand += 1;
    // An OK means accepted, not done.
    accept(null, {});
    echo(call.request);
  },
});

function echo({ message_id, directive, metadata, content }: Data): void {
  answer({ message_id: randomUUID(), response_to: message_id, directive, metadata, content });
}

function answer(response: Data): void {
  dispatcher['Send']?.(response, { deadline: Date.now() + 10_000 }, (error: grpc.ServiceError | null) => {
    if (error && again.has(error.code)) {
      setTimeout(answer, 1_000, response);
      return;
    }
    if (error) console.error(`no answer to ${response.response_to}: ${error.message}`);
    inHand -= 1;
    if (ending && inHand === 0) process.exit(0);
  });
}

const registration = { handler, pid: process.pid, detached_content: false, features: {} };
dispatcher['Register']?.(
  registration,
  { deadline: Date.now() + 10_000 },
  (error: grpc.ServiceError | null, granted?: { registered: boolean; address: string }) => {
    if (error) fail(`could not register: ${error.message}`);
    if (!granted?.registered) fail(`could not register: ${handler} is taken.`);
    server.bindAsync(granted.address, grpc.ServerCredentials.createInsecure(), (bindError) => {
      if (bindError) fail(`could not listen: ${bindError.message}`);
      console.log(`echo answers to ${handler}`);
    });
  },
);

// No further messages; what is in hand is answered first.
process.once('SIGTERM', () => {
  ending = true;
  server.tryShutdown(() => {
    if (inHand === 0) process.exit(0);
  });
});

function fail(reason: string): never {
  console.error(reason);
  process.exit(1);
}
