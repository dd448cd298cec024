/**
 * Which proxy a request goes through: `HTTPS_PROXY` or `HTTP_PROXY` by the scheme of its address, unless `NO_PROXY`
 * names the host. Names in lower case count first, as elsewhere.
 *
 * `NO_PROXY` is a list of names (those below them count too), addresses, networks (`10.0.0.0/8`) and `*`, each but the
 * last two perhaps with a port. What is on this host never goes through a proxy.
 */
import { BlockList, isIP } from 'node:net';
import { isLocalAddress } from './addresses.ts';

export interface Proxies {
  /** The proxy for an address; `undefined`: straight. */
  of(url: URL): URL | undefined;
}

/** Everything goes straight. */
export const noProxies: Proxies = { of: () => undefined };

/** `warn` is told of what cannot be used, without its secrets; it is passed over. */
export function readProxies(
  variables: Readonly<Record<string, string | undefined>>,
  warn: (sentence: string) => void,
): Proxies {
  const value = (name: string): string => variables[name.toLowerCase()] || variables[name] || '';
  const https = parseProxy('HTTPS_PROXY', value('HTTPS_PROXY'), warn);
  const http = parseProxy('HTTP_PROXY', value('HTTP_PROXY'), warn);
  const isExempt = exemptions(value('NO_PROXY'));
  return {
    of(url) {
      const proxy = url.protocol === 'https:' ? https : http;
      return proxy && !isExempt(url) ? proxy : undefined;
    },
  };
}

function parseProxy(name: string, text: string, warn: (sentence: string) => void): URL | undefined {
  if (text === '') return undefined;
  const address = text.includes('://') ? text : `http://${text}`;
  const url = URL.canParse(address) ? new URL(address) : undefined;
  if (url && /^https?:$/.test(url.protocol)) return url;
  const shown = text.replace(/\/\/.*@/s, '//…@');
  warn(`${name} is ${JSON.stringify(shown)} and not used: a proxy is written http://HOST:PORT.`);
  return undefined;
}

/** Whether a host is exempt. */
function exemptions(list: string): (url: URL) => boolean {
  const entries = list.split(/[\s,]+/).filter((entry) => entry !== '');
  const all = entries.includes('*');
  const networks = new BlockList();
  for (const entry of entries) addNetwork(networks, entry);
  return ({ hostname, port: given, protocol }) => {
    const name = hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
    const kind = isIP(name);
    if (all || name === 'localhost' || (kind !== 0 && isLocalAddress(name))) return true;
    if (kind !== 0 && networks.check(name, kind === 6 ? 'ipv6' : 'ipv4')) return true;
    const port = given || (protocol === 'https:' ? '443' : '80');
    return entries.some((entry) => isNamed(entry.toLowerCase(), name, port));
  };
}

function addNetwork(networks: BlockList, entry: string): void {
  const [address = '', prefix = ''] = entry.split('/');
  const kind = isIP(address);
  const bits = Number(prefix);
  if (kind === 0 || prefix === '' || !(bits >= 0 && bits <= (kind === 6 ? 128 : 32))) return;
  networks.addSubnet(address, bits, kind === 6 ? 'ipv6' : 'ipv4');
}

/** `host`, `.host`, `*.host` or an address, each perhaps with a port. */
function isNamed(entry: string, name: string, port: string): boolean {
  const [, bracketed, plain = '', only] = /^(?:\[([^\]]+)\]|([^:]*))(?::(\d+))?$/.exec(entry) ?? [];
  // An IPv6 address without brackets has no port.
  const host = (isIP(entry) === 6 ? entry : (bracketed ?? plain)).replace(/^\*?\./, '');
  if (host === '' || (only !== undefined && only !== port)) return false;
  return name === host || name.endsWith(`.${host}`);
}
