/**
 * D-Bus addresses (D-Bus specification, "Server Addresses"): which socket a text such as `unix:path=/run/bus,guid=1` means.
 */
import { YggError } from '../base/errors.ts';

export interface BusAddress {
  readonly kind: 'path' | 'abstract';
  /** Of the socket, decoded. */
  readonly name: string;
  /** As it was given. */
  readonly text: string;
}

/** Bytes of a socket path; Node cuts a longer one silently. */
const longestPath = 107;

/** The unix sockets of an address list, in order. Throws `YGG_BUS_UNREACHABLE` when there is none. */
export function readBusAddress(list: string): BusAddress[] {
  const found = list.split(';').flatMap((text) => socketOf(text) ?? []);
  if (found.length > 0) return found;
  throw new YggError(
    'YGG_BUS_UNREACHABLE',
    `"${list}" is no D-Bus address that can be used; one looks like unix:path=/run/dbus/system_bus_socket.`,
  );
}

function socketOf(text: string): BusAddress | undefined {
  if (!text.startsWith('unix:')) return undefined;
  for (const pair of text.slice('unix:'.length).split(',')) {
    const at = pair.indexOf('=');
    const name = decoded(pair.slice(at + 1));
    const key = pair.slice(0, at);
    if (name === undefined || name === '') continue;
    if (key === 'abstract') return { kind: 'abstract', name, text };
    if (key === 'path' && Buffer.byteLength(name) <= longestPath) return { kind: 'path', name, text };
  }
  return undefined;
}

function decoded(value: string): string | undefined {
  try {
    return decodeURIComponent(value);
  } catch {
    return undefined;
  }
}
