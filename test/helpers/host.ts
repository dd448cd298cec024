/** A whole host: mosquitto, a server on the other end, and the daemon with its workers, online. */

import { type Mosquitto, type MosquittoOptions, startMosquitto } from './mosquitto.ts';
import { connectMqttServer, type MqttServer } from './mqtt-server.ts';
import type { Scope } from './scope.ts';
import type { WorkerFile } from './worker-files.ts';
import { createHome, type Home, startYggd, type Yggd, type YggdOptions } from './yggd.ts';

export interface HostOptions extends Partial<Omit<YggdOptions, 'home' | 'brokers'>> {
  readonly workers?: readonly WorkerFile[];
  /** Handlers to wait for; none: the daemon only has to be online. */
  readonly handlers: readonly string[];
  readonly mosquitto?: MosquittoOptions;
}

export interface Host {
  readonly broker: Mosquitto;
  readonly server: MqttServer;
  readonly home: Home;
  readonly yggd: Yggd;
  /** Starts the daemon again in the same home, after it ended. */
  restart(): Promise<Yggd>;
}

export async function startHost(scope: Scope, options: HostOptions): Promise<Host> {
  const { workers = [], handlers, mosquitto = {}, ...rest } = options;
  const broker = await startMosquitto(scope, mosquitto);
  const server = await connectMqttServer(scope, broker.url, rest.clientId ? { clientId: rest.clientId } : {});
  const home = createHome(scope, workers);
  const start = async (): Promise<Yggd> => {
    const after = server.statuses.length;
    const yggd = startYggd(scope, { ...rest, home, brokers: [broker.url] });
    await Promise.race([
      server.online(handlers, { after }).catch((error: Error) => error.message),
      yggd.exited.then(({ code, signal }) => `the daemon ended with status ${code}, signal ${signal}`),
    ]).then((result) => {
      if (typeof result === 'string') throw new Error(`${result}\n${yggd.output}`);
    });
    return yggd;
  };
  return { broker, server, home, yggd: await start(), restart: start };
}
