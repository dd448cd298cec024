/** Servers and proxies that say too much, or too little, and what that may cost. */
import type { Socket } from 'node:net';

/** Milliseconds until everything of a request is over, or that it may take beyond its limits, on a slow machine. */
export const patience = 15_000;
/** Bytes that may be held for an answer that is refused. */
export const memory: number = 64 * 1024 * 1024;

export const big: string = 'x'.repeat(16 * 1024);

/** Writes the head, then `piece` for as long as somebody reads. */
export function endless(head: string, piece: string | Buffer): (socket: Socket) => void {
  return (socket) => {
    socket.write(head);
    const more = (): void => {
      while (!socket.destroyed && socket.write(piece));
    };
    socket.on('drain', more);
    more();
  };
}

/** Writes the head, then a little now and then. */
export function dripping(head: string, drop: string): (socket: Socket) => void {
  return (socket) => {
    socket.write(head);
    const timer = setInterval(() => socket.write(drop), 20);
    socket.once('close', () => clearInterval(timer));
  };
}
