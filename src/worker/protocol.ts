/**
 * The gRPC protocol between a worker and its daemon, loaded when it is needed and not before: it costs more time than
 * everything else a worker starts with.
 */
import { createRequire } from 'node:module';
import type * as Grpc from '@grpc/grpc-js';
import type { PackageDefinition } from '@grpc/proto-loader';
import type { ConfigFrame } from './daemon-config.ts';
import type { DispatcherFrame, Metadata, WorkerFrame } from './frames.ts';

/** One rpc: its path and how its messages become bytes. Fits what grpc-js takes on either side. */
export interface Method<Request, Answer> {
  readonly path: string;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (answer: Answer) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Answer;
}

/** A message or an answer of the plain protocol. */
export interface Data {
  readonly messageId: string;
  readonly metadata: Metadata;
  readonly content: Uint8Array;
  readonly responseTo: string;
  readonly directive: string;
}

export interface Registration {
  readonly handler: string;
  readonly pid: number;
  readonly detachedContent: boolean;
  readonly features: Metadata;
}

export interface Protocol {
  readonly grpc: typeof Grpc;
  readonly Attach: Method<WorkerFrame, DispatcherFrame>;
  readonly Register: Method<Registration, { readonly registered: boolean; readonly address: string }>;
  /** Of the daemon. */
  readonly Send: Method<Data, { readonly response: Uint8Array }>;
  readonly GetConfig: Method<object, ConfigFrame>;
  /** Of the worker. */
  readonly Take: Method<Data, object>;
  readonly NotifyEvent: Method<{ readonly name: number; readonly detail: string }, object>;
}

export async function loadProtocol(): Promise<Protocol> {
  const [grpc, { loadSync }] = await Promise.all([import('@grpc/grpc-js'), import('@grpc/proto-loader')]);
  const file = createRequire(import.meta.url).resolve('yggd/protocol/yggdrasil.proto');
  const loaded = loadSync(file, { longs: Number, defaults: true });
  return {
    grpc,
    Attach: method(loaded, 'Dispatcher', 'Attach'),
    Register: method(loaded, 'Dispatcher', 'Register'),
    Send: method(loaded, 'Dispatcher', 'Send'),
    GetConfig: method(loaded, 'Dispatcher', 'GetConfig'),
    Take: method(loaded, 'Worker', 'Send'),
    NotifyEvent: method(loaded, 'Worker', 'NotifyEvent'),
  };
}

/** The edge where a loaded description gets its types: those above say what the file says, and tests hold them. */
function method<Request, Answer>(
  loaded: PackageDefinition,
  service: string,
  name: string,
): Method<Request, Answer> {
  const definition = loaded[`yggdrasil.${service}`];
  const found = definition && !('format' in definition) ? definition[name] : undefined;
  if (!found) throw new TypeError(`protocol/yggdrasil.proto has no ${service}.${name}`);
  return found as unknown as Method<Request, Answer>;
}
