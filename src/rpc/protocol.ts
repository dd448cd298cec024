/**
 * The gRPC protocol between daemon and workers, as loaded from `protocol/yggdrasil.proto`.
 *
 * Owns the method descriptions and the types of what travels; opens nothing.
 */
import type { DispatcherFrame, EventNotification, WorkerFrame } from './attach-frames.ts';
import { loadProtoFile, type Method } from './proto-file.ts';

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
  const method = loadProtoFile('yggdrasil.proto');
  return {
    dispatcher: {
      Register: method('Dispatcher', 'Register'),
      Send: method('Dispatcher', 'Send'),
      Attach: method('Dispatcher', 'Attach'),
      GetConfig: method('Dispatcher', 'GetConfig'),
    },
    worker: {
      Send: method('Worker', 'Send'),
      NotifyEvent: method('Worker', 'NotifyEvent'),
    },
  };
}
