/**
 * Holds the structure of the sources: who may import what, who guards which outside thing, how files are named.
 *
 * Read from the import statements themselves, so that a shortcut through a layer fails here and not in a review.
 */
import { readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';

const root = path.resolve(import.meta.dirname, '../..');

interface Source {
  /** From the project folder, with forward slashes. */
  readonly file: string;
  readonly text: string;
  readonly code: string;
  /** What it imports: package names and `node:` modules as written, own files from the project folder. */
  readonly imports: readonly string[];
}

const components = ['message-router', 'data-processor', 'dispatcher', 'process-manager', 'control'];

/** Outside things and the only places that may touch them. */
const gatekeepers: ReadonlyArray<readonly [thing: RegExp, places: RegExp]> = [
  [/^(mqtt|mqtt-packet|aedes)$/, /^src\/mqtt\//],
  [/^@grpc\//, /^(src\/rpc\/|src\/worker\/|src\/testing\/|workers\/)/],
  [/^lmdb$/, /^src\/journal\//],
  [/^lokijs$/, /^src\/datastore\.ts$/],
  [/^undici$/, /^src\/http\//],
  [/^(execa|chokidar)$/, /^src\/process\//],
  // Programs pass small runners in where a folder has to start something.
  [/^node:child_process$/, /^((src\/process|cmd)\/|workers\/program\.ts$)/],
  [/^smol-toml$/, /^(src\/config\/|workers\/settings\.ts$)/],
  [/^dbus-next$/, /^src\/dbus\//],
  [/^commander$/, /^(cmd|src\/(config|local|manual|registration|remote|worker-project))\//],
  [/^pino$/, /^src\/base\//],
  // The doors of this package, as everybody else's workers find them; a new worker's project is written as text.
  [/^yggd$/, /^(workers\/|src\/worker-project\/files\.ts$)/],
];

/** Outside things that need no keeper of their own. */
const free = /^node:/;

/**
 * What a folder may know of the rest of `src` beside `base` and itself. Components and `assembly.ts` put the folders
 * together; a folder that needs another says what it needs in its own `deps` type.
 */
const spine =
  /^src\/(signals|channel|datastore|messages|counters|lifecycle|control-api)\.ts$|^src\/journal\/(journal|message-record|request-hash)\.ts$/;

const crossings: ReadonlyArray<readonly [from: RegExp, to: RegExp, reason: string]> = [
  [/^src\/host\//, /^src\/config\/toml/, 'tags are TOML, and config is the only place that reads TOML'],
  [/^src\/testing\//, /^src\/worker\//, 'what tests a worker speaks to it with its own words'],
];

/** Files over 300 lines and why they are one thing. */
const longFiles: Readonly<Record<string, string>> = {
  'src/base/errors.ts': 'one table',
  'src/config/table.ts': 'one table',
};

function filesBelow(folder: string): string[] {
  return readdirSync(path.join(root, folder), { withFileTypes: true }).flatMap((entry) => {
    const file = `${folder}/${entry.name}`;
    return entry.isDirectory() ? filesBelow(file) : [file];
  });
}

function stripComments(text: string): string {
  return text.replace(/\/\*[\s\S]*?\*\//g, '').replace(/(^|[^:'"`])\/\/.*$/gm, '$1');
}

function importsOf(file: string, code: string): string[] {
  const statement =
    /(?:^|\n)\s*(?:import|export)\b[^'";]*?\bfrom\s*['"]([^'"]+)['"]|(?:^|\n)\s*import\s*['"]([^'"]+)['"]|\b(?:import|require)\(\s*['"]([^'"]+)['"]/g;
  return [...code.matchAll(statement)].map((match) => {
    const name = match[1] ?? match[2] ?? match[3] ?? '';
    if (name.startsWith('.')) return path.posix.join(path.posix.dirname(file), name);
    if (name.startsWith('@')) return name.split('/').slice(0, 2).join('/');
    return name.startsWith('node:') ? name : (name.split('/')[0] ?? name);
  });
}

function read(file: string): Source {
  const text = readFileSync(path.join(root, file), 'utf8');
  const code = stripComments(text);
  return { file, text, code, imports: importsOf(file, code) };
}

const sources = ['src', 'cmd', 'workers']
  .flatMap(filesBelow)
  .filter((file) => file.endsWith('.ts'))
  .map(read);
const library = sources.filter(({ file }) => file.startsWith('src/'));

/** Sources that break a rule, each as one line that names the file and what it does. */
function breaches(list: readonly Source[], rule: (source: Source) => readonly string[]): string[] {
  return list.flatMap((source) => rule(source).map((what) => `${source.file}: ${what}`));
}

function componentOf(file: string): string | undefined {
  return components.find((name) => file === `src/${name}.ts` || file.startsWith(`src/${name}/`));
}

/** `src/<folder>/...` that is no component. */
function folderOf(file: string): string | undefined {
  if (componentOf(file) !== undefined) return undefined;
  return /^src\/([^/]+)\//.exec(file)?.[1];
}

function mayCross(from: string, to: string): boolean {
  return crossings.some(([source, target]) => source.test(from) && target.test(to));
}

test('the reading of imports sees every form', () => {
  const text = `import a from 'lmdb';\nimport { type B,\n  c } from "./x.ts";\nimport 'undici';\nexport * from '../y.ts';
    const z = await import('@grpc/grpc-js/build'); // import d from 'aedes'\nimport type { E } from 'node:fs/promises';`;
  expect(importsOf('src/rpc/file.ts', stripComments(text))).toEqual([
    'lmdb',
    'src/rpc/x.ts',
    'undici',
    'src/y.ts',
    '@grpc/grpc-js',
    'node:fs/promises',
  ]);
});

describe('gatekeepers', () => {
  test('each outside thing is touched in one place', () => {
    const found = breaches(sources, ({ file, imports }) =>
      imports.filter((name) => gatekeepers.some(([thing, places]) => thing.test(name) && !places.test(file))),
    );
    expect(found).toEqual([]);
  });

  test('each dependency has a keeper', () => {
    const found = breaches(sources, ({ imports }) =>
      imports.filter(
        (name) =>
          !/^(src|cmd|workers)\//.test(name) &&
          !free.test(name) &&
          !gatekeepers.some(([thing]) => thing.test(name)),
      ),
    );
    expect(found).toEqual([]);
  });

  test('docs/dependencies.md names each place where a dependency is used, and no other', () => {
    const page = readFileSync(path.join(root, 'docs/dependencies.md'), 'utf8');
    const rows = [...page.matchAll(/^\| `([^`]+)` \| .*?; (`[^|]+) \|/gm)].map(
      ([, name = '', places = '']) => ({
        name,
        places: [...places.matchAll(/`([^`]+)`/g)].map(([, place = '']) => place),
      }),
    );
    const { dependencies } = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
    expect(rows.map(({ name }) => name).sort()).toEqual(Object.keys(dependencies).sort());
    for (const { name, places } of rows) {
      const users = sources.filter(({ imports }) => imports.includes(name)).map(({ file }) => file);
      const isIn = (file: string, place: string): boolean => file === place || file.startsWith(`${place}/`);
      const unsaid = users.filter((file) => !places.some((place) => isIn(file, place)));
      const unused = places.filter((place) => !users.some((file) => isIn(file, place)));
      expect({ name, unsaid, unused }).toEqual({ name, unsaid: [], unused: [] });
    }
  });

  test('environment, exit and console belong to the programs', () => {
    // The journal's probe is a program: a child that may die of what it reads. A worker's `run` is the main of one.
    const programs = ['src/journal/probe.ts', 'src/worker/surroundings.ts'];
    const parts = library.filter(({ file }) => !programs.includes(file));
    const found = breaches(parts, ({ code }) =>
      [...code.matchAll(/\bprocess\.(?:env|exit|exitCode)\b|\bconsole\.\w+/g)].map(([what]) => what),
    );
    expect(found).toEqual([]);
  });
});

describe('layers', () => {
  test('base knows nothing of what is above it', () => {
    const base = library.filter(({ file }) => file.startsWith('src/base/'));
    const found = breaches(base, ({ imports }) =>
      imports.filter((name) => name.startsWith('src/') && !name.startsWith('src/base/')),
    );
    expect(found).toEqual([]);
  });

  test('a folder knows base, the spine and itself', () => {
    const found = breaches(library, ({ file, imports }) => {
      const own = folderOf(file);
      if (own === undefined) return [];
      return imports.filter(
        (name) =>
          name.startsWith('src/') &&
          !name.startsWith('src/base/') &&
          !name.startsWith(`src/${own}/`) &&
          !spine.test(name) &&
          !mayCross(file, name),
      );
    });
    expect(found).toEqual([]);
  });

  test('the SDK stands alone with two packages and the pieces of base that need none', () => {
    const reachable = new Set<string>(
      library.map(({ file }) => file).filter((file) => /^src\/worker\//.test(file)),
    );
    const found: string[] = [];
    for (const file of reachable) {
      for (const name of sources.find((source) => source.file === file)?.imports ?? []) {
        if (/^src\/(base|worker)\//.test(name)) reachable.add(name);
        else if (!free.test(name) && !/^@grpc\/(grpc-js|proto-loader)$/.test(name))
          found.push(`${file}: ${name}`);
      }
    }
    expect(found).toEqual([]);
  });

  test('components do not know each other', () => {
    const found = breaches(library, ({ file, imports }) => {
      const own = componentOf(file);
      if (own === undefined) return [];
      return imports.filter((name) => {
        const other = componentOf(name);
        return other !== undefined && other !== own;
      });
    });
    expect(found).toEqual([]);
  });

  test('only the assembly and the door know the components, and only programs know the daemon', () => {
    const found = breaches(library, ({ file, imports }) =>
      imports.filter((name) => {
        if (componentOf(name) !== undefined) {
          return componentOf(file) === undefined && !/^src\/(assembly|part-options|index)\.ts$/.test(file);
        }
        return name === 'src/daemon.ts' && file !== 'src/index.ts';
      }),
    );
    expect(found).toEqual([]);
  });

  test('nothing imports the programs, and workers stand alone', () => {
    const found = breaches(sources, ({ file, imports }) =>
      imports.filter(
        (name) =>
          (name.startsWith('cmd/') && !file.startsWith('cmd/')) ||
          (file.startsWith('workers/') && /^(src|cmd)\//.test(name)),
      ),
    );
    expect(found).toEqual([]);
  });
});

describe('files', () => {
  test('are named after things, in kebab-case', () => {
    const names = sources.map(({ file }) => path.posix.basename(file, '.ts'));
    expect(names.filter((name) => !/^[a-z0-9]+(-[a-z0-9]+)*$/.test(name))).toEqual([]);
    const kinds = new Set(['utils', 'util', 'helpers', 'helper', 'common', 'types', 'misc', 'shared', 'lib']);
    const parts = library.flatMap(({ file }) => file.replace(/\.ts$/, '').split('/').slice(1));
    expect(parts.filter((name) => kinds.has(name))).toEqual([]);
  });

  test('begin by saying what they own', () => {
    const bare = sources.filter(({ text }) => !/^(#!.*\n)?(\/\*\*|\/\/)/.test(text));
    expect(bare.map(({ file }) => file)).toEqual([]);
  });

  test('are read in one sitting', () => {
    const long = sources.filter(({ text }) => text.split('\n').length > 301).map(({ file }) => file);
    expect(long.filter((file) => !(file in longFiles))).toEqual([]);
    // An entry that is not needed any longer goes.
    expect(Object.keys(longFiles).filter((file) => !long.includes(file))).toEqual([]);
  });

  test('speak of the program only', () => {
    const words =
      /\b(TODO|FIXME|XXX|HACK)\b|@ts-(?:ignore|nocheck)|\bissue #?\d|(?<![\w.])\/(?:home|root|work|Users)\/\w/;
    const found = breaches(sources, ({ text }) => {
      const match = words.exec(text);
      return match ? [match[0]] : [];
    });
    expect(found).toEqual([]);
  });
});
