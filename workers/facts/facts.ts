/**
 * Tells what this host is and how it is doing. Reads a few fixed files of the system, and writes and starts nothing.
 */
import { readFile, statfs } from 'node:fs/promises';
import os from 'node:os';
import { createWorker, type Logger, type Worker } from 'yggd/worker';
import { isTexts, refused } from '../settings.ts';

/** What can be asked for, by its name. */
const parts: ReadonlyMap<string, () => unknown> = new Map<string, () => unknown>([
  ['host', host],
  ['cpu', cpu],
  ['memory', () => ({ total: os.totalmem(), free: os.freemem() })],
  ['disk', disk],
  ['network', network],
]);

export function createFactsWorker(handler: string, log?: Logger): Worker {
  return createWorker({
    handler,
    ...(log && { log }),
    redelivery: 'until-done',
    timeout: 30_000,
    async onMessage(message) {
      const wanted: unknown = message.content.length === 0 ? null : message.json();
      const facts = [...asked(wanted)].map(async ([name, find]) => [name, await find()]);
      return Object.fromEntries(await Promise.all(facts));
    },
  });
}

/** Nothing is all of them. */
function asked(wanted: unknown): ReadonlyMap<string, () => unknown> {
  if (wanted === null) return parts;
  if (!isTexts(wanted) || !wanted.every((name) => parts.has(name)))
    throw refused(`Ask for null, or for a list of these: ${[...parts.keys()].join(', ')}.`);
  return new Map([...parts].filter(([name]) => wanted.includes(name)));
}

async function host(): Promise<unknown> {
  const release = await textOf('/etc/os-release');
  return {
    name: os.hostname(),
    machine_id: (await textOf('/etc/machine-id')).trim(),
    system: /^PRETTY_NAME="?(.*?)"?$/m.exec(release)?.[1] ?? os.type(),
    kernel: os.release(),
    architecture: os.machine(),
    uptime: Math.round(os.uptime()),
  };
}

function cpu(): unknown {
  const cpus = os.cpus();
  return { model: cpus[0]?.model ?? '', count: cpus.length, load: os.loadavg() };
}

/** File systems on devices, and the root, each once. */
async function disk(): Promise<unknown> {
  const known = new Set<string>();
  const places = (await textOf('/proc/self/mounts')).split('\n').flatMap((line) => {
    const [device = '', place = '', type = ''] = line.split(' ');
    if (!(device.startsWith('/dev/') || place === '/') || known.has(device)) return [];
    known.add(device);
    // Blanks and the like are three octal digits there.
    return [
      {
        type,
        place: place.replace(/\\(\d{3})/g, (_, digits) => String.fromCharCode(Number.parseInt(digits, 8))),
      },
    ];
  });
  const sizes = places.map(async ({ place, type }) => {
    const { bsize, blocks, bavail } = await statfs(place);
    return { place, type, size: blocks * bsize, available: bavail * bsize };
  });
  // One that this user may not look at, or that is just going, is left out.
  return (await Promise.allSettled(sizes)).flatMap((size) =>
    size.status === 'fulfilled' ? [size.value] : [],
  );
}

function network(): unknown {
  return Object.entries(os.networkInterfaces()).map(([name, addresses = []]) => ({
    name,
    mac: addresses[0]?.mac ?? '',
    addresses: addresses.map(({ cidr, address }) => cidr ?? address),
  }));
}

/** Empty when it is not to be had. */
function textOf(file: string): Promise<string> {
  return readFile(file, 'utf8').catch(() => '');
}
