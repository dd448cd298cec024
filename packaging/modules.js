// The packages the programs stand on, in the versions of the lock file, without what only developers need.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Refusal } from './command.js';
import { fetchPackage } from './registry.js';
import { copyTree } from './tree.js';

/** Types, maps, sources of native code, and words for people; licences stay. */
const notNeeded = /(\.d\.[cm]?ts|\.map|\.md|\.markdown|\.[ch]|\.cc|\.cpp|\.gypi?|\.tsbuildinfo)$/i;
const licence = /^(licen[cs]e|copying|notice)/i;
const foldersNotNeeded = new Set(['test', 'tests', 'docs', 'example', 'examples', 'benchmarks', '.github']);
/** Of the native code, that which goes with every version of Node. */
const native = /\.node$/;
const nativeNeeded = /(^|\.)napi\.glibc\.node$/;

export function stageModules({ root, to, architecture, work, say }) {
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  for (const [place, entry] of Object.entries(lock.packages)) {
    if (!isNeeded(place, entry, architecture)) continue;
    const name = place.slice(place.lastIndexOf('node_modules/') + 'node_modules/'.length);
    const from = installed(path.join(root, place), name, entry) ?? fetched({ name, entry, work, say });
    copyTree(from, path.join(to, place), { keep: isFileNeeded });
  }
}

function isNeeded(place, entry, { name }) {
  // What has no version stands in for something that is not wanted.
  if (place === '' || entry.dev || entry.devOptional || entry.link || entry.version === undefined)
    return false;
  if (/(^|\/)(@types\/|undici-types$)/.test(place)) return false;
  return fits(entry.os, 'linux') && fits(entry.cpu, name) && fits(entry.libc, 'glibc');
}

/** Of package.json's `os`, `cpu` and `libc`: none is any. */
function fits(list, value) {
  return list === undefined || list.includes(value);
}

/** Where it is installed; `undefined` when it is not, as with the native code of other architectures. */
function installed(folder, name, { version }) {
  const manifest = path.join(folder, 'package.json');
  if (!existsSync(manifest)) return undefined;
  const found = JSON.parse(readFileSync(manifest, 'utf8')).version;
  if (found === version) return folder;
  throw new Refusal(
    `${name} is installed in version ${found}, the lock file says ${version}; run npm ci first.`,
  );
}

function fetched({ name, entry, work, say }) {
  say(`fetching ${name}@${entry.version}`);
  return fetchPackage({ name, version: entry.version, integrity: entry.integrity, work });
}

/** @param place from the package's folder */
function isFileNeeded(place) {
  const [top = ''] = place.split('/');
  const name = path.posix.basename(place);
  if (top === 'node_modules' || (top !== name && foldersNotNeeded.has(top))) return false;
  if (licence.test(name)) return true;
  return native.test(name) ? nativeNeeded.test(name) : !notNeeded.test(name);
}
