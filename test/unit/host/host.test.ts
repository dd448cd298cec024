import { mkdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import type { FactSources } from '../../../src/host/facts.ts';
import { type Host, openHost } from '../../../src/host/host.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';

interface Opened {
  readonly dir: string;
  readonly host: Host;
  readonly clock: HandClock;
  readonly sources: { -readonly [Name in keyof FactSources]: FactSources[Name] };
  readonly files: { factsFile: string | undefined; tagsFile: string };
  /** Sentences logged. */
  readonly said: string[];
  changes(): number;
}

async function open(tagsFile = 'tags.toml'): Promise<Opened> {
  const scope = testScope();
  const dir = tempDir(scope);
  const at = (name: string): string => path.join(dir, name);
  for (const name of ['one', 'two']) {
    mkdirSync(at(name));
    writeFileSync(path.join(dir, name, 'tags.toml'), `from = "${name}"`);
  }
  symlinkSync('one', at('current'));
  writeFileSync(at('tags.toml'), 'from = "the start"');
  writeFileSync(at('facts.json'), 'nonsense');
  const sources = {
    insightsIdFile: at('insights'),
    machineIdFile: at('machine-id'),
    biosUuidFile: at('uuid'),
    consumerCertificateFile: at('cert.pem'),
    interfacesDirectory: at('net'),
    interfaces: () => ({}),
    hostname: () => 'before',
  };
  const said: string[] = [];
  const say = (_: unknown, sentence: string): void => void said.push(sentence);
  const files = { factsFile: at('facts.json'), tagsFile: at(tagsFile) };
  const clock = new HandClock();
  const host = await openHost({ sources, files, clock, log: { ...silentLogger, warn: say, info: say } });
  scope.defer(() => host.close());
  let changes = 0;
  host.onChange(() => {
    changes += 1;
  });
  return { dir, host, clock, sources, files, said, changes: () => changes };
}

test.each<[string, string, (dir: string) => void]>([
  ['written', 'tags.toml', (dir) => writeFileSync(path.join(dir, 'tags.toml'), 'from = "two"')],
  [
    'renamed into place',
    'tags.toml',
    (dir) => renameSync(path.join(dir, 'two/tags.toml'), path.join(dir, 'tags.toml')),
  ],
  [
    'swapped behind a link',
    'current/tags.toml',
    (dir) => {
      symlinkSync('two', path.join(dir, 'next'));
      renameSync(path.join(dir, 'next'), path.join(dir, 'current'));
    },
  ],
])('tags that are %s are read', async (_, file, change) => {
  const { dir, host, clock, changes } = await open(file);
  change(dir);
  clock.wind(10_000);
  clock.wind(500);
  await waitFor(() => changes() === 1, { what: 'the change' });
  expect(host.tags()).toEqual({ from: 'two' });
});

test('tags whose file is removed are none', async () => {
  const { dir, host, clock, changes } = await open();
  rmSync(path.join(dir, 'tags.toml'));
  clock.wind(10_000);
  clock.wind(500);
  await waitFor(() => changes() === 1, { what: 'the change' });
  expect(host.tags()).toBeUndefined();
});

test('a host that gets another name or address is noticed within a minute, and nothing is said without a change', async () => {
  const { host, clock, sources, said, changes } = await open();
  const before = [...said];
  let looks = 0;
  sources.hostname = () => {
    looks += 1;
    return 'before';
  };
  clock.wind(60_000);
  await waitFor(() => looks === 1, { what: 'a look' });
  expect([changes(), said]).toEqual([0, before]);
  sources.hostname = () => 'after';
  sources.interfaces = () => ({ eth0: [{ address: '192.0.2.7', family: 'IPv4', internal: false }] });
  clock.wind(60_000);
  await waitFor(() => changes() === 1, { what: 'the change' });
  expect(host.facts()).toMatchObject({ fqdn: 'after', ip_addresses: ['192.0.2.7'] });
});

test('other files hold from the next refresh on, and are watched', async () => {
  const { dir, host, clock, files, changes } = await open();
  files.tagsFile = path.join(dir, 'two/tags.toml');
  await host.refresh();
  expect(host.tags()).toEqual({ from: 'two' });
  writeFileSync(files.tagsFile, 'from = "three"');
  clock.wind(10_000);
  clock.wind(500);
  await waitFor(() => changes() === 2, { what: 'the change' });
  expect(host.tags()).toEqual({ from: 'three' });
  host.close();
  expect(clock.waits).toEqual([]);
});
