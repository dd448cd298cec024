/**
 * A unix socket for nobody but one user, with a gRPC server behind it.
 *
 * Owns the socket file and the connections.
 */
import { createServer, type Server as Listener, type Socket } from 'node:net';
import { type Server, ServerCredentials } from '@grpc/grpc-js';
import { checkSocketPath, removeSocket, removeStaleSocket } from './address.ts';

export interface PrivateSocketOptions {
  readonly path: string;
  readonly server: Server;
  /** Not set: 0600. More only in a directory that keeps everybody else out. */
  readonly mode?: number;
  /** Open at the same time; further ones are closed at once. */
  readonly maxConnections: number;
}

export interface PrivateSocket {
  /** Connections that are open now. */
  readonly connections: number;
  /** Ends every call and connection and removes the file. */
  close(): void;
}

/** Binds the socket. Rejects with `YGG_PATH_TOO_LONG`, `YGG_ALREADY_RUNNING`. */
export async function openPrivateSocket(options: PrivateSocketOptions): Promise<PrivateSocket> {
  const { path, server, maxConnections, mode = 0o600 } = options;
  checkSocketPath(path);
  await removeStaleSocket(path);
  const injector = server.createConnectionInjector(ServerCredentials.createInsecure());
  const open = new Set<Socket>();
  const listener = createServer((socket) => {
    open.add(socket);
    socket.on('close', () => open.delete(socket));
    injector.injectConnection(socket);
  });
  listener.maxConnections = maxConnections;
  await listen(listener, path, mode);

  return {
    get connections() {
      return open.size;
    },
    close() {
      listener.close();
      injector.destroy();
      server.forceShutdown();
      for (const socket of open) socket.destroy();
      removeSocket(path);
    },
  };
}

function listen(listener: Listener, path: string, mode: number): Promise<void> {
  return new Promise((resolve, reject) => {
    listener.once('error', reject);
    // The file is made inside `listen`, with the mode the umask leaves: the right one from its first moment.
    const umask = process.umask(0o777 & ~mode);
    try {
      listener.listen({ path, backlog: 1024 }, () => {
        listener.off('error', reject);
        listener.on('error', () => {});
        resolve();
      });
    } finally {
      process.umask(umask);
    }
  });
}
