/**
 * Starts systemd's own program that speaks to any D-Bus address, for the addresses that Node does not reach.
 */
import { spawn } from 'node:child_process';
import type { BridgeProgram } from '../src/dbus/bridge.ts';

/** Rejects when it is not there. */
export function startStdioBridge(address: string): Promise<BridgeProgram> {
  return new Promise((resolve, reject) => {
    const child = spawn('systemd-stdio-bridge', [`--bus-path=${address}`], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    child.once('error', reject);
    child.once('spawn', () =>
      resolve({ input: child.stdin, output: child.stdout, kill: () => void child.kill() }),
    );
  });
}
