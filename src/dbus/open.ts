/**
 * Opens connections by their D-Bus address, whatever kind of socket it names.
 */
import { type BusAddress, readBusAddress } from './address.ts';
import { type BridgeDeps, openBridge } from './bridge.ts';
import { Connection, type ConnectionOptions } from './connection.ts';

export interface OpenOptions extends Omit<ConnectionOptions, 'socket'> {
  /** One or several, separated by semicolons: the first that answers is used. */
  readonly address: string;
  readonly bridge: BridgeDeps;
}

/** Throws `YGG_BUS_UNREACHABLE`, the failure of the last address. */
export async function openConnection({ address, ...options }: OpenOptions): Promise<Connection> {
  const addresses = readBusAddress(address);
  for (const [index, each] of addresses.entries()) {
    try {
      return await openOne(each, options);
    } catch (error) {
      if (index === addresses.length - 1) throw error;
    }
  }
  throw new Error('an address list is never empty');
}

async function openOne(
  address: BusAddress,
  { bridge: deps, ...options }: Omit<OpenOptions, 'address'>,
): Promise<Connection> {
  if (address.kind === 'path') return await Connection.open({ ...options, socket: address.name });
  const bridge = await openBridge(address.text, deps);
  try {
    const connection = await Connection.open({ ...options, socket: bridge.socket });
    connection.onClose(() => bridge.close());
    return connection;
  } catch (error) {
    bridge.close();
    throw error;
  }
}
