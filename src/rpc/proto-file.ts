/**
 * The protocol files of this package, loaded into method descriptions.
 */
import { createRequire } from 'node:module';
import { loadSync } from '@grpc/proto-loader';

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

/** Finds the rpcs of one file by service and name. */
export type FindMethod = <Request extends object, Answer extends object>(
  service: string,
  name: string,
) => Method<Request, Answer>;

export function loadProtoFile(name: string): FindMethod {
  const file = createRequire(import.meta.url).resolve(`yggd/protocol/${name}`);
  const loaded = loadSync(file, { longs: Number, defaults: true });
  // The edge where a loaded description gets its types: the caller's say what the file says, and tests hold them.
  return <Request extends object, Answer extends object>(service: string, rpc: string) => {
    const definition = loaded[`yggdrasil.${service}`];
    const found = definition && !('format' in definition) ? definition[rpc] : undefined;
    if (!found) throw new TypeError(`protocol/${name} has no ${service}.${rpc}`);
    return found as unknown as Method<Request, Answer>;
  };
}
