/**
 * Which addresses are this host itself or its link: nothing a message says may lead there unless it is listed.
 *
 * Owns the ranges and the check during name resolution, so that what is checked is what is connected to and a name
 * that answers differently the second time gains nothing.
 */
import { type LookupAddress, type LookupOptions, lookup as systemLookup } from 'node:dns';
import { BlockList, isIPv6, type LookupFunction } from 'node:net';
import { YggError } from '../base/errors.ts';

const ranges = new BlockList();
ranges.addSubnet('0.0.0.0', 8, 'ipv4');
ranges.addSubnet('127.0.0.0', 8, 'ipv4');
// Link-local; the metadata services of clouds live here.
ranges.addSubnet('169.254.0.0', 16, 'ipv4');
// Unspecified, loopback, and the IPv4 addresses of the same ranges in their two old IPv6 spellings.
ranges.addSubnet('::', 96, 'ipv6');
ranges.addSubnet('fe80::', 10, 'ipv6');
// `BlockList` sees through ::ffff:a.b.c.d by itself; a NAT64 prefix it does not know.
for (const mapped of ['64:ff9b::', '64:ff9b::7f00:0', '64:ff9b::a9fe:0']) {
  ranges.addSubnet(mapped, mapped.endsWith('a9fe:0') ? 112 : 104, 'ipv6');
}

/** Whether an IP address is loopback, unspecified or link-local. */
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
    `${where} a loopback or link-local address. To allow it, add the line content-hosts = ["${host}"] to the configuration.`,
  );
}
