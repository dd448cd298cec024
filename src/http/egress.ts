/**
 * Where detached content may be fetched from and posted to, and who is shown the client certificate.
 *
 * Hosts fall into three standings. *Listed* (`data-host`, `content-hosts`): anything goes. *Broker* (the brokers'
 * hosts, and hosts beside them below the same parent domain): https with the certificate. *Other*: https without it,
 * or nothing with `content-hosts-only`. Only a listed host may be loopback or link-local; that is checked here for
 * addresses in the URL and while connecting for names (`addresses.ts`).
 */
import { isIP } from 'node:net';
import { YggError } from '../base/errors.ts';
import { isLocalAddress, localAddressError } from './addresses.ts';

export interface EgressOptions {
  /** `host` or `host:port` that takes the place of the one in every URL. */
  readonly dataHost: string | undefined;
  /** `host` (any port) or `host:port`. */
  readonly contentHosts: readonly string[];
  readonly contentHostsOnly: boolean;
  /** Hosts of the configured brokers; ports do not matter. */
  readonly brokerHosts: readonly string[];
}

export type Standing = 'listed' | 'broker' | 'other';

/** An address that may be talked to. */
export interface Destination {
  /** After `data-host`; http or https, without user info. */
  readonly url: URL;
  readonly standing: Standing;
}

export interface Egress {
  /** Checks an address. Throws `YGG_CONTENT_REFUSED`; the message names the line to add where one would help. */
  route(address: string): Destination;
}

/** Hosts below it are the broker's own family. At least two labels; never one that looks like a public suffix. */
export function parentDomain(host: string): string | undefined {
  if (isIP(host) !== 0) return undefined;
  const labels = host.split('.').slice(1);
  const [first = '', last = ''] = labels;
  if (labels.length < 2) return undefined;
  // `co.uk`, `com.au`, `gouv.fr`: anybody can register below these. There is no list of them here, so a short name
  // below a country's domain counts as one; a company that is caught by it lists its host.
  if (labels.length === 2 && last.length === 2 && first.length <= 4) return undefined;
  return labels.join('.');
}

/** Throws `YGG_CONFIG` for an entry that is not `host` or `host:port`. */
export function createEgress(options: EgressOptions): Egress {
  const dataHost = options.dataHost === undefined ? undefined : parseHost('data-host', options.dataHost);
  const listed = options.contentHosts.map((entry) => parseHost('content-hosts', entry));
  if (dataHost) listed.push(dataHost);
  const brokers = new Set(options.brokerHosts.map((entry) => parseHost('broker', entry).name));
  const parents = [...brokers].flatMap((host) => parentDomain(host) ?? []);

  function standingOf(url: URL): Standing {
    const name = nameOf(url.hostname);
    const port = portOf(url);
    if (listed.some((host) => host.name === name && (host.port === '' || host.port === port)))
      return 'listed';
    if (brokers.has(name) || parents.some((parent) => name.endsWith(`.${parent}`))) return 'broker';
    return 'other';
  }

  return {
    route(address) {
      const url = URL.canParse(address) ? new URL(address) : undefined;
      if (!url) throw refused('The address of the content is not a URL.');
      if (url.protocol !== 'https:' && url.protocol !== 'http:')
        throw refused(`The address of the content begins with ${url.protocol} instead of https:.`);
      if (url.username !== '' || url.password !== '')
        throw refused(
          `The address of the content at ${url.host} holds a user name or password; leave it out.`,
        );
      if (dataHost) {
        url.hostname = dataHost.hostname;
        url.port = dataHost.port;
      }
      const standing = standingOf(url);
      const name = nameOf(url.hostname);
      if (standing === 'other' && options.contentHostsOnly)
        throw refused(`${name} is not in content-hosts, and content-hosts-only is set. ${remedy(url)}`);
      if (standing !== 'listed' && url.protocol === 'http:')
        throw refused(`${name} may only be reached by https. ${remedy(url)}`);
      if (standing !== 'listed' && isIP(name) !== 0 && isLocalAddress(name))
        throw localAddressError(name, name);
      return { url, standing };
    },
  };
}

/** The same for options that may change; the rules are made anew when they have. Throws as {@link createEgress}. */
export function createLiveEgress(options: EgressOptions): Egress {
  let made = { ...options };
  let egress = createEgress(made);
  return {
    route(address) {
      const { dataHost, contentHosts, contentHostsOnly } = options;
      if (
        made.dataHost !== dataHost ||
        made.contentHosts !== contentHosts ||
        made.contentHostsOnly !== contentHostsOnly
      ) {
        made = { ...options };
        egress = createEgress(made);
      }
      return egress.route(address);
    },
  };
}

/** What to write in the configuration so that a host counts as listed. */
export function remedy(url: URL): string {
  return `To allow it, add the line content-hosts = ["${nameOf(url.hostname)}"] to the configuration.`;
}

interface Host {
  /** As in a URL: IPv6 addresses in brackets. */
  readonly hostname: string;
  /** For comparing: no brackets, no closing dot. */
  readonly name: string;
  /** Empty: not said. */
  readonly port: string;
}

function parseHost(option: string, entry: string): Host {
  const [, host = '', port = ''] = /^(\[[^\]]+\]|[^:/?#@\s]+)(?::(\d{1,5}))?$/.exec(entry) ?? [];
  const bracketed = isIP(entry) === 6 ? `[${entry}]` : host;
  const base = `http://${bracketed}`;
  if (bracketed === '' || !URL.canParse(base) || Number(port) > 65_535) {
    throw new YggError('YGG_CONFIG', `${option}: "${entry}" is not a host; write NAME or NAME:PORT.`);
  }
  const { hostname } = new URL(base);
  return { hostname, name: nameOf(hostname), port };
}

function nameOf(hostname: string): string {
  return hostname.replace(/^\[(.*)\]$/, '$1').replace(/\.$/, '');
}

function portOf(url: URL): string {
  return url.port || (url.protocol === 'https:' ? '443' : '80');
}

function refused(sentence: string): YggError {
  return new YggError('YGG_CONTENT_REFUSED', sentence);
}
