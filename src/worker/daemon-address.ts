/**
 * Addresses of sockets as a daemon gives them, in `YGG_SOCKET_ADDR` and at the registration, in the form grpc-js takes.
 */
import { YggError } from '../base/errors.ts';

/**
 * A path, a `unix:` URI, or an abstract name (`@name`, `unix-abstract:name`) of other daemons.
 *
 * @throws YggError `YGG_CONFIG` when there is none, or one this Node cannot reach: Node 20 pads abstract names.
 */
export function daemonAddress(text: string | undefined, nodeVersion: string = process.versions.node): string {
  if (!text) {
    throw new YggError('YGG_CONFIG', 'YGG_SOCKET_ADDR is not set: a worker is started by its daemon.');
  }
  const name = /^(?:@|unix:@|unix-abstract:)(.+)$/.exec(text)?.[1];
  if (name !== undefined) {
    if (Number.parseInt(nodeVersion, 10) < 22) {
      const sentence = `The daemon uses the abstract socket @${name}, which is out of reach for Node ${nodeVersion}: use Node 22.`;
      throw new YggError('YGG_CONFIG', sentence);
    }
    return `unix:\0${name}`;
  }
  if (text.startsWith('unix:')) return text;
  return `unix:${text}`;
}
