/** The lock file: where every package comes from, that it is what it was, and that installing it runs nothing. */
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

interface Locked {
  readonly version?: string;
  readonly resolved?: string;
  readonly integrity?: string;
  readonly license?: unknown;
  readonly dev?: boolean;
  readonly optional?: boolean;
  readonly hasInstallScript?: boolean;
  readonly link?: boolean;
}

const root = path.resolve(import.meta.dirname, '../..');
const lock: { readonly lockfileVersion: number; readonly packages: Readonly<Record<string, Locked>> } =
  JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
/** An optional native module that is left out: in its place stands a link to nothing. */
const leftOut: ReadonlySet<string> = new Set([
  'node_modules/usocket',
  'node_modules/dbus-next/scripts/no-usocket',
]);
const packages = Object.entries(lock.packages).filter(
  ([place]) => place.startsWith('node_modules/') && !leftOut.has(place),
);
const atRunTime = packages.filter(([, { dev }]) => !dev);

/** Licences that ask for nothing but their own text. */
const licences: ReadonlySet<string> = new Set([
  '0BSD',
  'Apache-2.0',
  'BSD-2-Clause',
  'BSD-3-Clause',
  'BlueOak-1.0.0',
  'ISC',
  'MIT',
  'MIT/X11',
]);

/** Of packages whose own manifest says it in a form that the lock file does not take over. */
const saidElsewhere: Readonly<Record<string, string>> = {
  'node_modules/jsbi': 'Apache-2.0',
  'node_modules/map-stream': 'MIT',
  'node_modules/pause-stream': 'MIT',
};

/** Packages with a script that builds what the registry also has built, and why it need not run. */
const scriptsNotNeeded: Readonly<Record<string, string>> = {
  'node_modules/lmdb': 'its binaries are packages of their own',
  'node_modules/protobufjs': 'it only warns about ranges of versions',
  'node_modules/msgpackr-extract': 'optional, makes a codec faster that the journal does not use',
};

describe('every locked package', () => {
  test('is from the registry and has a hash', () => {
    const strange = packages.filter(
      ([, { resolved, integrity }]) =>
        // A lock file without places takes them from the registry that is configured.
        (resolved !== undefined && !resolved.startsWith('https://registry.npmjs.org/')) ||
        !integrity?.startsWith('sha512-'),
    );
    expect(strange.map(([place]) => place)).toEqual([]);
  });

  test('has an exact version and is no link', () => {
    const loose = packages.filter(
      ([, { version, link }]) => link === true || !/^\d+\.\d+\.\d+/.test(version ?? ''),
    );
    expect(loose.map(([place]) => place)).toEqual([]);
  });
});

describe('what the daemon runs on', () => {
  test('nothing that runs needs a script to be installed', () => {
    const scripted = atRunTime.filter(([, { hasInstallScript }]) => hasInstallScript).map(([place]) => place);
    expect(scripted.filter((place) => !(place in scriptsNotNeeded))).toEqual([]);
    // An entry that is not needed any longer goes.
    expect(Object.keys(scriptsNotNeeded).filter((place) => !scripted.includes(place))).toEqual([]);
  });

  test('has licences that can be lived with', () => {
    const others = atRunTime
      .filter(([place, { license }]) => !licences.has(saidElsewhere[place] ?? String(license)))
      .map(([place, { license }]) => `${place}: ${JSON.stringify(license)}`);
    expect(others).toEqual([]);
  });

  test('is not much: each direct dependency has its line in docs/dependencies.md', () => {
    const { dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
    const page = readFileSync(path.join(root, 'docs/dependencies.md'), 'utf8');
    expect(Object.keys(dependencies).filter((name) => !page.includes(`| \`${name}\` |`))).toEqual([]);
  });
});
