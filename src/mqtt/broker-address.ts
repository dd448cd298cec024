/**
 * A broker as people write it, `mqtts://host:8883`, and what has to be dialled for it.
 */
import { YggError } from '../base/errors.ts';

/** The last two are websockets, plain and with TLS. */
export type Transport = 'tcp' | 'tls' | 'ws' | 'wss';

export interface BrokerAddress {
  /** As it may be shown: without user and password. */
  readonly name: string;
  readonly transport: Transport;
  readonly host: string;
  readonly port: number;
  /** Of a websocket: what is asked for, beginning with a slash. */
  readonly path: string;
  /** The only version of MQTT that it speaks; not set: as configured. */
  readonly version?: 4;
  readonly username?: string;
  readonly password?: string;
}

/** Every scheme that the daemons in the field accept. */
const transports = new Map<string, Transport>([
  ['tcp', 'tcp'],
  ['mqtt', 'tcp'],
  ['ssl', 'tls'],
  ['tls', 'tls'],
  ['mqtts', 'tls'],
  ['tcps', 'tls'],
  ['mqtt+ssl', 'tls'],
  ['ws', 'ws'],
  ['wss', 'wss'],
]);

const defaultPorts = { tcp: 1883, tls: 8883, ws: 80, wss: 443 };

/** Reads a broker's URL. Throws `YGG_CONFIG` naming the value and what would be right. */
export function parseBrokerAddress(text: string): BrokerAddress {
  const url = URL.canParse(text) && text.includes('://') ? new URL(text) : undefined;
  if (!url?.hostname) {
    throw refused(withoutSecrets(text), 'expected a URL such as mqtts://broker.example.com:8883');
  }
  const name = `${url.protocol}//${url.host}`;
  const transport = transports.get(url.protocol.slice(0, -1));
  if (transport === undefined) throw refused(name, `expected one of ${[...transports.keys()].join(', ')}`);
  return {
    name,
    transport,
    host: url.hostname.replace(/^\[(.*)\]$/, '$1'),
    port: url.port === '' ? defaultPorts[transport] : Number(url.port),
    path: `${url.pathname || '/'}${url.search}`,
    ...(url.username !== '' && { username: decoded(url.username, name) }),
    ...(url.password !== '' && { password: decoded(url.password, name) }),
  };
}

function decoded(text: string, name: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    throw refused(name, 'a % in user name or password that begins no escape is written %25');
  }
}

function refused(shown: string, fix: string): YggError {
  return new YggError('YGG_CONFIG', `broker is "${shown}": ${fix}.`);
}

function withoutSecrets(text: string): string {
  return text.replace(/\/\/.*@/s, '//');
}
