/**
 * Which addresses are this host itself, its link, or the services that a cloud puts beside it: nothing a message says
 * may lead there unless it is listed.
 *
 * Owns the ranges and the check during name resolution, so that what is checked is what is connected to and a name
 * that answers differently the second time gains nothing.
 */
import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { BlockList, isIPv6, type LookupFunction } from 'node:net';
import { YggError } from '../base/errors.ts';

/** Networks and their bits. */
const ipv4: ReadonlyArray<readonly [network: string, bits: number]> = [
  ['0.0.0.0', 8],
  ['127.0.0.0', 8],
  // Link-local; the metadata services of clouds live here.
  ['169.254.0.0', 16],
  // Those that live elsewhere: of Alibaba, Azure, Oracle.
  ['100.100.100.200', 32],
  ['168.63.129.16', 32],
  ['192.0.0.192', 32],
  // Everybody on the link, and beyond.
  ['224.0.0.0', 4],
  ['255.255.255.255', 32],
];

const ipv6: typeof ipv4 = [
  // Unspecified, loopback, and the oldest spelling of IPv4 addresses.
  ['::', 96],
  ['fe80::', 10],
  ['ff00::', 8],
  // The metadata services of Amazon and Google.
  ['fd00:ec2::', 32],
  ['fd20:ce::', 32],
];

const ranges = new BlockList();
for (const [network, bits] of ipv6) ranges.addSubnet(network, bits, 'ipv6');
for (const [network, bits] of ipv4) {
  ranges.addSubnet(network, bits, 'ipv4');
  // `BlockList` sees through ::ffff:a.b.c.d by itself; NAT64 (RFC 6052, RFC 8215) and 6to4 (RFC 3056) it does not know.
  const groups = hexadecimal(network);
  ranges.addSubnet(`64:ff9b::${groups}`, 96 + bits, 'ipv6');
  ranges.addSubnet(`64:ff9b:1::${groups}`, 96 + bits, 'ipv6');
  ranges.addSubnet(`2002:${groups}::`, 16 + bits, 'ipv6');
}

/** `127.0.0.1` as two groups of an IPv6 address: `7f00:1`. */
function hexadecimal(address: string): string {
  const [a = 0, b = 0, c = 0, d = 0] = address.split('.').map(Number);
  return `${(a * 256 + b).toString(16)}:${(c * 256 + d).toString(16)}`;
}

/** Whether an IP address is loopback, unspecified, link-local, a group's, or of a cloud's metadata service. */
export function isLocalAddress(address: string): boolean {
  return ranges.check(address, isIPv6(address) ? 'ipv6' : 'ipv4');
}

/** How a name is resolved: `dns.lookup`, or what a test puts in its place. */
export type Resolve = (
  hostname: string,
  options: LookupOptions & { all: true },
  callback: (error: NodeJS.ErrnoException | null, addresses: LookupAddress[]) => void,
) => void;

/** A lookup for `net.connect` that leaves out local addresses, and fails when there are no others. */
export function publicLookup(resolve: Resolve = systemLookup): LookupFunction {
  return (hostname, options, callback) => {
    resolve(hostname, { ...options, all: true }, (error, addresses) => {
      const allowed = addresses?.filter(({ address }) => !isLocalAddress(address)) ?? [];
      const [first] = allowed;
      if (error) callback(error, '');
      else if (!first) callback(localAddressError(hostname, addresses[0]?.address), '');
      else if (options.all) callback(null, allowed);
      else callback(null, first.address, first.family);
    });
  };
}

export function localAddressError(host: string, address = 'no address'): YggError {
  const where = host === address ? `${host} is` : `${host} resolves to ${address},`;
  return new YggError(
    'YGG_CONTENT_REFUSED',
    `${where} a loopback or link-local address, or one of a cloud's own. To allow it, add the line content-hosts = ["${host}"] to the configuration.`,
  );
}
