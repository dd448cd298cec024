/**
 * Socket paths, and the form in which each gRPC library takes them.
 */
import { lstatSync, readdirSync, unlinkSync } from 'node:fs';
import { connect } from 'node:net';
import path from 'node:path';
import { YggError } from '../base/errors.ts';

/** `sun_path` without its closing zero. Node cuts longer paths silently and listens somewhere else. */
const socketPathLimit = 107;

/** Throws `YGG_PATH_TOO_LONG` for a path no unix socket can have. */
export function checkSocketPath(socket: string): void {
  const bytes = Buffer.byteLength(socket);
  if (bytes <= socketPathLimit) return;
  throw new YggError(
    'YGG_PATH_TOO_LONG',
    `The socket path ${socket} has ${bytes} bytes and may have ${socketPathLimit}: choose a shorter runtime-dir.`,
  );
}

/** A path nobody uses yet: eight characters of `random` and `.s`, because the room is short. */
export function newSocketPath(directory: string, random: () => number): string {
  const name = Math.floor(random() * 36 ** 8)
    .toString(36)
    .padStart(8, '0');
  const socket = path.join(directory, `${name}.s`);
  checkSocketPath(socket);
  return lstatSync(socket, { throwIfNoEntry: false }) ? newSocketPath(directory, random) : socket;
}

/** Removes the sockets with such names that a killed daemon left in a directory that nobody else uses. */
export function removeLeftSockets(directory: string): void {
  for (const entry of readdirSync(directory, { withFileTypes: true })) {
    if (entry.isSocket() && /^[0-9a-z]{8}\.s$/.test(entry.name)) {
      removeSocket(path.join(directory, entry.name));
    }
  }
}

/** Removes a socket file, if it can: where a worker's user may write, something else may lie there by now. */
export function removeSocket(socket: string): void {
  try {
    unlinkSync(socket);
  } catch {
    // Gone already, or not what it was: nothing of ours is left there.
  }
}

/**
 * Removes what a killed daemon left at the path.
 *
 * @throws YggError `YGG_ALREADY_RUNNING` when somebody listens there, or when it is no socket.
 */
export async function removeStaleSocket(socket: string): Promise<void> {
  const stat = lstatSync(socket, { throwIfNoEntry: false });
  if (!stat) return;
  if (!stat.isSocket()) {
    throw new YggError('YGG_ALREADY_RUNNING', `${socket} is in the way and is no socket: remove it.`);
  }
  if (await takesConnections(socket)) {
    const sentence = `Another daemon listens on ${socket}: stop it, or choose another runtime-dir.`;
    throw new YggError('YGG_ALREADY_RUNNING', sentence);
  }
  removeSocket(socket);
}

/** Whether somebody listens at the path now. A stopped process does: its backlog takes connections. */
export function takesConnections(socket: string): Promise<boolean> {
  return new Promise((resolve) => {
    const probe = connect(socket);
    probe.once('connect', () => {
      probe.destroy();
      resolve(true);
    });
    probe.once('error', () => resolve(false));
  });
}

/**
 * The form of `RegistrationResponse.address` that the caller's library understands: grpc-go takes a bare path (a URI
 * would make it listen on a relative file), C-core and grpc-js a `unix:` URI (a bare path goes to DNS).
 */
export function addressFor(userAgent: string, socket: string): string {
  return /(?:^|\s)grpc-go\//.test(userAgent) ? socket : `unix:${socket}`;
}
