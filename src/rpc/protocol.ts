/**
 * The gRPC protocol between daemon and workers, as loaded from `protocol/yggdrasil.proto`.
 *
 * Owns the method descriptions and the types of what travels; opens nothing.
 */
import { createRequire } from 'node:module';
import { loadSync, type PackageDefinition } from '@grpc/proto-loader';
import type { DispatcherFrame, WorkerFrame } from './attach-frames.ts';

/** A message to a worker, or a response of one. */
export interface Data {
  readonly messageId: string;
  readonly metadata: Readonly<Record<string, string>>;
  readonly content: Uint8Array;
  readonly responseTo: string;
  readonly directive: string;
}

export interface RegistrationRequest {
  readonly handler: string;
  readonly pid: number;
  readonly detachedContent: boolean;
  readonly features: Readonly<Record<string, string>>;
}

export interface RegistrationResponse {
  readonly registered: boolean;
  readonly address: string;
}

/** Answers both Sends; one without bytes is what older peers know as a receipt. */
export interface Response {
  readonly response?: Uint8Array;
}

/** What GetConfig tells. */
export interface WorkerSettings {
  readonly logLevel: string;
  readonly clientId: string;
  readonly socketAddr: string;
  readonly server: string;
  readonly certFile: string;
  readonly keyFile: string;
  readonly caRoot: string;
}

/** What NotifyEvent can say, by its number on the wire. */
export const brokerEvents = {
  /** The broker is left because it was asked for. */
  'received-disconnect': 1,
  /** The connection to the broker was lost. */
  'unexpected-disconnect': 2,
  /** A lost connection is back. */
  'connection-restored': 3,
} as const;

export type BrokerEvent = keyof typeof brokerEvents;

export interface EventNotification {
  readonly name: number;
  readonly detail: string;
  readonly metadata: Readonly<Record<string, string>>;
}

/** One rpc: its path and how its messages become bytes. Fits what grpc-js takes on either side. */
export interface Method<Request, Answer> {
  readonly path: string;
  readonly requestStream: boolean;
  readonly responseStream: boolean;
  readonly requestSerialize: (request: Request) => Buffer;
  readonly requestDeserialize: (bytes: Buffer) => Request;
  readonly responseSerialize: (answer: Answer) => Buffer;
  readonly responseDeserialize: (bytes: Buffer) => Answer;
}

export interface Protocol {
  /** Served by the daemon. */
  readonly dispatcher: {
    readonly Register: Method<RegistrationRequest, RegistrationResponse>;
    readonly Send: Method<Data, Response>;
    readonly Attach: Method<WorkerFrame, DispatcherFrame>;
    readonly GetConfig: Method<object, WorkerSettings>;
  };
  /** Served by each worker. */
  readonly worker: {
    readonly Send: Method<Data, Response>;
    readonly NotifyEvent: Method<EventNotification, object>;
  };
}

/** What every known worker takes at most: the default of its gRPC library. */
export const workerReceiveLimit: number = 4 * 1024 * 1024;

/** Reads the protocol file of this package; a few milliseconds. */
export function loadProtocol(): Protocol {
  const file = createRequire(import.meta.url).resolve('yggd/protocol/yggdrasil.proto');
  const loaded = loadSync(file, { longs: Number, defaults: true });
  return {
    dispatcher: {
      Register: method(loaded, 'Dispatcher', 'Register'),
      Send: method(loaded, 'Dispatcher', 'Send'),
      Attach: method(loaded, 'Dispatcher', 'Attach'),
      GetConfig: method(loaded, 'Dispatcher', 'GetConfig'),
    },
    worker: {
      Send: method(loaded, 'Worker', 'Send'),
      NotifyEvent: method(loaded, 'Worker', 'NotifyEvent'),
    },
  };
}

/** The edge where a loaded description gets its types: those above say what the file says, and tests hold them. */
function method<Request extends object, Answer extends object>(
  loaded: PackageDefinition,
  service: string,
  name: string,
): Method<Request, Answer> {
  const definition = loaded[`yggdrasil.${service}`];
  const found = definition && !('format' in definition) ? definition[name] : undefined;
  if (!found) throw new TypeError(`protocol/yggdrasil.proto has no ${service}.${name}`);
  return found as unknown as Method<Request, Answer>;
}
