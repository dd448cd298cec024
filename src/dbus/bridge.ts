/**
 * A way to abstract sockets, which Node does not reach by their exact name: a program that does, behind a socket of ours.
 *
 * RHSM offers an abstract socket where libdbus makes such ones. What goes through is a password, so the socket lies in a
 * directory that only this user can enter, takes one connection, and is removed as soon as that is there.
 */
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Socket } from 'node:net';
import path from 'node:path';
import type { Readable, Writable } from 'node:stream';
import { YggError } from '../base/errors.ts';

/** A program that speaks to a D-Bus address and passes everything through. */
export interface BridgeProgram {
  readonly input: Writable;
  readonly output: Readable;
  /** Ends it. */
  kill(): void;
}

export interface BridgeDeps {
  /** Starts the program; rejects when it is not there. */
  start(address: string): Promise<BridgeProgram>;
  /** A directory for the socket. */
  readonly temporaryDirectory: string;
}

export interface Bridge {
  readonly socket: string;
  close(): void;
}

/** Throws `YGG_BUS_UNREACHABLE`. */
export async function openBridge(address: string, deps: BridgeDeps): Promise<Bridge> {
  const program = await start(address, deps);
  const directory = mkdtempSync(path.join(deps.temporaryDirectory, 'ygg-'));
  chmodSync(directory, 0o700);
  const socket = path.join(directory, 'bus');
  let taken: Socket | undefined;
  const server = createServer((connection) => {
    taken = connection;
    removeSocket();
    connection.on('error', () => connection.destroy());
    program.output.on('end', () => connection.end());
    connection.pipe(program.input);
    program.output.pipe(connection);
  });
  server.maxConnections = 1;

  function removeSocket(): void {
    server.close();
    rmSync(directory, { recursive: true, force: true });
  }

  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(socket, () => resolve());
  });
  return {
    socket,
    close() {
      removeSocket();
      taken?.destroy();
      program.kill();
    },
  };
}

async function start(address: string, deps: BridgeDeps): Promise<BridgeProgram> {
  try {
    const program = await deps.start(address);
    // What it can no longer be told is noticed by whoever waits for its answer.
    program.input.on('error', () => {});
    return program;
  } catch (error) {
    throw new YggError(
      'YGG_BUS_UNREACHABLE',
      `${address} is an abstract socket, and systemd-stdio-bridge, which reaches it, is not there; it comes with systemd.`,
      { cause: error },
    );
  }
}
