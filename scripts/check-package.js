// Part of `npm run check`, after the build: is what would be published whole, small, and loadable?
//
// Packs the project, looks at the list of files, lets publint and attw read the archive, then unpacks it into an
// empty project and loads it there with `import` and `require` and runs its programs.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { publint } from 'publint';
import { formatMessage } from 'publint/utils';

const root = path.resolve(import.meta.dirname, '..');
const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
const faults = [];

/** Runs a program; a status other than 0 is a fault with its output. Returns what it wrote to stdout. */
function run(title, program, words, cwd = root) {
  const { status, stdout, stderr, error } = spawnSync(program, words, { cwd, encoding: 'utf8' });
  if (status !== 0)
    faults.push(`${title}: status ${status}\n${error?.message ?? ''}${stdout ?? ''}${stderr ?? ''}`);
  return stdout ?? '';
}

/** Paths that the package cannot do without: its doors, its programs, and what `files` names. */
function expected() {
  const doors = Object.values(manifest.exports).flatMap((door) =>
    typeof door === 'string' ? [door] : Object.values(door),
  );
  return [
    ...doors,
    ...Object.values(manifest.bin),
    'LICENSE',
    'README.md',
    'dist/cmd/ygg.js',
    'dist/cmd/yggd.js',
    'dist/cmd/yggctl.js',
  ]
    .filter((file) => !file.includes('*'))
    .map((file) => path.posix.normalize(file));
}

function checkContents(files) {
  const names = new Set(files.map((file) => file.path));
  for (const file of expected()) if (!names.has(file)) faults.push(`contents: ${file} is missing`);
  for (const name of names) {
    if (/^(src|test|scripts|node_modules|\.)/.test(name))
      faults.push(`contents: ${name} does not belong there`);
  }
  for (const program of Object.values(manifest.bin)) {
    const file = files.find((entry) => entry.path === path.posix.normalize(program));
    if (file && (file.mode & 0o111) === 0) faults.push(`contents: ${file.path} is not executable`);
  }
}

/** An empty project beside the archive, with this project's dependencies and the package as it is published. */
function unpack(archive, folder) {
  const modules = path.join(folder, 'node_modules');
  mkdirSync(path.join(modules, manifest.name), { recursive: true });
  for (const entry of readdirSync(path.join(root, 'node_modules'))) {
    if (!entry.startsWith('.'))
      symlinkSync(path.join(root, 'node_modules', entry), path.join(modules, entry));
  }
  run('unpack', 'tar', ['-xzf', archive, '--strip-components=1', '-C', path.join(modules, manifest.name)]);
  return path.join(modules, manifest.name);
}

const folder = mkdtempSync(path.join(tmpdir(), 'check-package-'));
try {
  const packed = JSON.parse(
    run('npm pack', 'npm', ['pack', '--json', '--pack-destination', folder]) || '[{}]',
  )[0];
  checkContents(packed.files ?? []);
  const archive = path.join(folder, packed.filename ?? '');

  const tarball = readFileSync(archive);
  const { messages } = await publint({ pack: { tarball: Uint8Array.from(tarball).buffer }, strict: true });
  for (const message of messages) faults.push(`publint: ${formatMessage(message, manifest)}`);

  const attw = path.join(root, 'node_modules', '.bin', 'attw');
  const attwWords = ['--profile', 'esm-only', '--no-definitely-typed', '--no-emoji', '--format', 'ascii'];
  run('attw', attw, [archive, ...attwWords]);

  const installed = unpack(archive, folder);
  const names = 'if (Object.keys(door).length === 0) throw new Error("the door is empty")';
  run('require', process.execPath, ['-e', `const door = require('${manifest.name}'); ${names}`], folder);
  run(
    'import',
    process.execPath,
    ['--input-type=module', '-e', `import * as door from '${manifest.name}'; ${names}`],
    folder,
  );
  for (const program of Object.values(manifest.bin)) {
    run(program, path.join(installed, program), ['--version'], folder);
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}

if (faults.length > 0) {
  for (const fault of faults) console.error(fault);
  console.error(`The package is not fit to publish: ${faults.length} faults.`);
  process.exitCode = 1;
} else {
  console.log('The package is fit to publish.');
}
