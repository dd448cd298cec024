/**
 * The settings that a daemon tells its workers (GetConfig).
 */
import type { ServiceError } from '@grpc/grpc-js';
import { YggError } from '../base/errors.ts';
import type { Protocol } from './protocol.ts';

export interface DaemonConfig {
  /** `INFO`, ... */
  readonly logLevel: string;
  readonly clientId: string;
  /** The broker that is tried first. */
  readonly server: string;
  /** Of the host's certificate; empty when there is none. The worker's user may not be allowed to read them. */
  readonly certFile: string;
  readonly keyFile: string;
  readonly caRoots: readonly string[];
}

/** Milliseconds the daemon may take. */
const deadline = 10_000;

/**
 * `undefined` under a daemon that does not tell. One that was asked waits in Send for the HTTP result of what this
 * worker posts.
 *
 * @throws YggError `YGG_LINK` when the daemon does not answer
 */
export async function askConfig(protocol: Protocol, address: string): Promise<DaemonConfig | undefined> {
  const { grpc, GetConfig } = protocol;
  const client = new grpc.Client(address, grpc.credentials.createInsecure(), { 'grpc.enable_channelz': 0 });
  try {
    return await new Promise((resolve, reject) => {
      const onAnswer = (error: ServiceError | null, config?: ConfigFrame): void => {
        if (config) resolve(read(config));
        else if (error?.code === grpc.status.UNIMPLEMENTED) resolve(undefined);
        else reject(new YggError('YGG_LINK', `The daemon does not tell its settings: ${error?.details}`));
      };
      const { path, requestSerialize, responseDeserialize } = GetConfig;
      const options = { deadline: Date.now() + deadline };
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, {}, options, onAnswer);
    });
  } finally {
    client.close();
  }
}

/** As it travels. */
export interface ConfigFrame extends Omit<DaemonConfig, 'caRoots'> {
  /** Joined with `;`. */
  readonly caRoot: string;
}

function read({ logLevel, clientId, server, certFile, keyFile, caRoot }: ConfigFrame): DaemonConfig {
  const caRoots = caRoot.split(';').filter((file) => file !== '');
  return { logLevel, clientId, server, certFile, keyFile, caRoots };
}
