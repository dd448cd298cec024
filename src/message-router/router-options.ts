/**
 * What the router is told, with defaults for the rest.
 */

/** Times in milliseconds; read each time they are needed, for they may change (then `reconsider` is called). */
export interface MessageRouterOptions {
  /** How long a message waits for a worker. */
  readonly workerGrace: number;
  /** Requests in the working set over all directives, and their bytes. */
  readonly window: { readonly messages: number; readonly bytes: number };
  /** How long the command `disconnect` holds; not set: until `resume`. */
  readonly disconnectHold: number | undefined;
  /** Shortest and longest wait between two attempts to connect. */
  readonly reconnectFloor: number;
  readonly reconnectCap: number;
}

/** Says at each moment what `options` say then. */
export function completeOptions(options: Partial<MessageRouterOptions> = {}): MessageRouterOptions {
  return {
    window: options.window ?? { messages: 1_024, bytes: 16 * 1024 * 1024 },
    get workerGrace() {
      return options.workerGrace ?? 5 * 60_000;
    },
    get disconnectHold() {
      return options.disconnectHold;
    },
    get reconnectFloor() {
      return options.reconnectFloor ?? 500;
    },
    get reconnectCap() {
      return options.reconnectCap ?? 60_000;
    },
  };
}
