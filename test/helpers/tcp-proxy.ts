/** A proxy on loopback that can be a bad network: cuts, holds back, swallows, delays, slices. */
import { connect, createServer, type Socket } from 'node:net';
import type { Scope } from './scope.ts';

/** How bytes pass, both ways. */
export type Passage =
  | { readonly kind: 'whole' }
  /** In pieces of so many bytes. */
  | { readonly kind: 'sliced'; readonly bytes: number }
  /** So many milliseconds late. */
  | { readonly kind: 'delayed'; readonly ms: number }
  /** Nothing comes through, and nobody is told: a half-open connection. */
  | { readonly kind: 'swallowed' };

export interface TcpProxy {
  readonly port: number;
  /** Of connections that are open and of those to come. */
  passage: Passage;
  /** Ends every open connection. */
  cut(): void;
}

export async function startTcpProxy(scope: Scope, target: number): Promise<TcpProxy> {
  const sockets = new Set<Socket>();
  const proxy = { port: 0, passage: { kind: 'whole' } as Passage, cut };

  function cut(): void {
    for (const socket of sockets) socket.destroy();
  }

  function pipe(from: Socket, to: Socket): void {
    sockets.add(from);
    /** What was taken and not passed on, in order. */
    let way = Promise.resolve();
    from.setNoDelay(true);
    from.on('data', (chunk) => {
      const passage = proxy.passage;
      if (passage.kind === 'swallowed') return;
      if (passage.kind !== 'whole') way = way.then(() => passOn(chunk, passage, to));
      else way = way.then(() => write(to, chunk));
    });
    from.on('error', () => {});
    from.on('close', () => {
      sockets.delete(from);
      void way.then(() => to.destroy());
    });
  }

  const server = createServer((near) => {
    const far = connect(target, '127.0.0.1');
    pipe(near, far);
    pipe(far, near);
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  scope.defer(async () => {
    cut();
    await new Promise<void>((resolve) => server.close(() => resolve()));
  });
  const address = server.address();
  proxy.port = typeof address === 'object' && address ? address.port : 0;
  return proxy;
}

async function passOn(
  chunk: Buffer,
  passage: Exclude<Passage, { kind: 'whole' | 'swallowed' }>,
  to: Socket,
): Promise<void> {
  if (passage.kind === 'delayed') {
    await new Promise((resolve) => setTimeout(resolve, passage.ms));
    write(to, chunk);
    return;
  }
  for (let at = 0; at < chunk.length; at += passage.bytes) {
    write(to, chunk.subarray(at, at + passage.bytes));
    // In turns of their own, or the kernel would put the pieces together again.
    await new Promise((resolve) => setImmediate(resolve));
  }
}

function write(to: Socket, bytes: Buffer): void {
  if (to.writable) to.write(bytes);
}
