// `npm run package:worker`: packs the SDK alone, for workers on hosts that need nothing else of this package.
//
// The archive holds the doors `yggd/worker` and `yggd/testing` under the same name and with the same paths, so that a
// worker runs on either package as it is. It needs grpc-js and proto-loader, and nothing native.
//   --out DIR       where it is put (here)
//   --format json   prints {"file", "size", "files"} and nothing else
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';

const root = path.resolve(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const doors = ['./worker', './testing'];
const packages = ['@grpc/grpc-js', '@grpc/proto-loader'];

const { values } = parseArgs({
  options: { out: { type: 'string', default: '.' }, format: { type: 'string', default: 'text' } },
});

/** Runs a program to its end, with its complaints shown; ends with it when it fails. Returns what it printed. */
function run(program, words, cwd) {
  const { status, stdout, error } = spawnSync(program, words, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  if (status === 0) return stdout;
  console.error(`${program} ${words.join(' ')}: ${error?.message ?? `status ${status}`}`);
  process.exit(1);
}

/** A file of the build and every file of it that it names, programs and types alike. Packages must be the two. */
function addWithImports(file, found) {
  if (found.has(file)) return;
  found.add(file);
  const text = readFileSync(path.join(root, file), 'utf8');
  for (const [, named] of text.matchAll(/(?:\bfrom|\bimport)\s*\(?\s*['"]([^'"]+)['"]/g)) {
    if (named.startsWith('.')) {
      const target = path.posix.join(path.posix.dirname(file), named);
      const types = target.replace(/\.js$/, '.d.ts').replace(/(?<!\.d)\.ts$/, '.d.ts');
      addWithImports(file.endsWith('.d.ts') ? types : target, found);
    } else if (!named.startsWith('node:') && !packages.includes(named)) {
      throw new Error(`${file} imports ${named}: the SDK needs nothing but ${packages.join(' and ')}.`);
    }
  }
}

/** The page on writing workers; what it links to is not there, but for the protocol. */
function page() {
  const text = readFileSync(path.join(root, 'docs', 'writing-workers.md'), 'utf8');
  return text
    .replaceAll('](../protocol/', '](protocol/')
    .replace(/\[([^\]]+)\]\((?!https?:|protocol\/)[^)]*\)/g, '$1');
}

run(process.execPath, [path.join(root, 'scripts', 'build.js'), '--if-stale'], root);

const files = new Set(['LICENSE', 'protocol/yggdrasil.proto', 'protocol/attach.md']);
for (const door of doors) {
  for (const file of Object.values(manifest.exports[door])) addWithImports(path.posix.normalize(file), files);
}

const folder = mkdtempSync(path.join(tmpdir(), 'package-worker-'));
try {
  for (const file of files) cpSync(path.join(root, file), path.join(folder, file));
  writeFileSync(path.join(folder, 'README.md'), page());
  const { name, version, license, type, engines, exports, dependencies } = manifest;
  const kept = (table, keys) => Object.fromEntries(keys.map((key) => [key, table[key]]));
  const own = {
    name,
    version,
    description: `The SDK for workers of ${name}, alone.`,
    license,
    // On a registry it would take the place of the whole package.
    private: true,
    type,
    engines,
    exports: kept(exports, [...doors, './protocol/*', './package.json']),
    dependencies: kept(dependencies, packages),
  };
  writeFileSync(path.join(folder, 'package.json'), `${JSON.stringify(own, undefined, 2)}\n`);
  const out = path.resolve(values.out);
  mkdirSync(out, { recursive: true });
  const file = path.join(out, `${name}-worker-${version}.tgz`);
  if (existsSync(file)) rmSync(file);
  const [packed] = JSON.parse(run('npm', ['pack', '--json', '--pack-destination', folder], folder));
  cpSync(path.join(folder, packed.filename), file);
  const facts = { file, size: packed.size, files: packed.files.map((entry) => entry.path) };
  if (values.format === 'json') console.log(JSON.stringify(facts));
  else console.log(`${file}: ${facts.files.length} files, ${Math.ceil(facts.size / 1024)} KiB`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}
