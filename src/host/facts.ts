/**
 * What this host is known by: the canonical facts of a connection status (docs/protocol.md).
 *
 * A source that is missing or unreadable gives an empty fact, never an error.
 */
import { X509Certificate } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { hostname, networkInterfaces } from 'node:os';
import path from 'node:path';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import type { CanonicalFacts } from '../messages.ts';
import { commonName } from './certificate.ts';
import { checkSafePath } from './safe-path.ts';

/** Where facts come from; tests give their own. */
export interface FactSources {
  readonly insightsIdFile: string;
  readonly machineIdFile: string;
  readonly biosUuidFile: string;
  readonly consumerCertificateFile: string;
  /** One directory for each interface, with a file `address` (sysfs-class-net). */
  readonly interfacesDirectory: string;
  readonly interfaces: () => NodeJS.Dict<readonly NetworkAddress[]>;
  readonly hostname: () => string;
}

interface NetworkAddress {
  readonly address: string;
  readonly family: string;
  readonly internal: boolean;
}

export const hostFactSources: FactSources = {
  insightsIdFile: '/etc/insights-client/machine-id',
  machineIdFile: '/etc/machine-id',
  biosUuidFile: '/sys/devices/virtual/dmi/id/product_uuid',
  consumerCertificateFile: '/etc/pki/consumer/cert.pem',
  interfacesDirectory: '/sys/class/net',
  interfaces: networkInterfaces,
  hostname,
};

export interface FactsDeps {
  readonly sources: FactSources;
  /** JSON object whose facts replace those found. */
  readonly factsFile?: string | undefined;
  readonly log: Logger;
}

/** Gathers the facts anew, in the order in which they are published; those only a facts file has come last. */
export async function readFacts({ sources, factsFile, log }: FactsDeps): Promise<CanonicalFacts> {
  const [insightsId, machineId, biosUuid, consumer, macAddresses, given] = await Promise.all([
    readText(sources.insightsIdFile),
    readText(sources.machineIdFile),
    readText(sources.biosUuidFile),
    readText(sources.consumerCertificateFile),
    readMacAddresses(sources.interfacesDirectory),
    factsFile === undefined ? {} : readFactsFile(factsFile, log),
  ]);
  const found: CanonicalFacts = {
    insights_id: insightsId,
    machine_id: dashed(machineId),
    bios_uuid: biosUuid,
    subscription_manager_id: nameIn(consumer),
    ip_addresses: ipAddresses(sources.interfaces()),
    mac_addresses: macAddresses,
    fqdn: sources.hostname(),
  };
  return { ...found, ...given };
}

async function readText(file: string): Promise<string> {
  try {
    return (await readFile(file, 'utf8')).trim();
  } catch {
    return '';
  }
}

/** 32 hexadecimal digits with the hyphens of a UUID; anything else is not an id. */
function dashed(id: string): string {
  const digits = id.replaceAll('-', '').toLowerCase();
  if (!/^[0-9a-f]{32}$/.test(digits)) return '';
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

function nameIn(certificate: string): string {
  if (certificate === '') return '';
  try {
    return commonName(new X509Certificate(certificate));
  } catch {
    return '';
  }
}

function ipAddresses(interfaces: NodeJS.Dict<readonly NetworkAddress[]>): string[] {
  return Object.values(interfaces)
    .flatMap((addresses) => addresses ?? [])
    .filter(({ family, internal }) => family === 'IPv4' && !internal)
    .map(({ address }) => address);
}

/** Of every interface, up or down, sorted by its name; zeros where there is no hardware address. */
async function readMacAddresses(directory: string): Promise<string[]> {
  let names: string[];
  try {
    const entries = await readdir(directory, { withFileTypes: true });
    names = entries.filter((entry) => !entry.isFile()).map((entry) => entry.name);
  } catch {
    return [];
  }
  return Promise.all(
    names.sort().map(async (name) => {
      const address = await readText(path.join(directory, name, 'address'));
      return /^[0-9a-f]{2}(?::[0-9a-f]{2})+$/.test(address) ? address : '00:00:00:00:00:00';
    }),
  );
}

/** Facts are texts or lists of texts; a server that is sent anything else may drop the host. */
async function readFactsFile(file: string, log: Logger): Promise<Record<string, string | string[]>> {
  const facts: Record<string, string | string[]> = Object.create(null);
  let parsed: unknown;
  try {
    parsed = JSON.parse(await readFile(file, 'utf8'));
    checkSafePath(file);
  } catch (error) {
    log.warn({ file, error: reasonOf(error) }, 'the facts file cannot be used, facts are those found');
    return facts;
  }
  if (typeof parsed !== 'object' || parsed === null || Array.isArray(parsed)) {
    log.warn({ file }, 'the facts file does not hold an object, facts are those found');
    return facts;
  }
  for (const [name, value] of Object.entries(parsed)) {
    if (typeof value === 'string' || isTexts(value)) facts[name] = value;
    else log.warn({ file, fact: name }, 'a fact is neither a text nor a list of texts, it is left out');
  }
  return facts;
}

function isTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
