// Files as they are put into a package: plain modes, no owner but root, one date.
import {
  chmodSync,
  copyFileSync,
  lstatSync,
  mkdirSync,
  readdirSync,
  statSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import path from 'node:path';

/** Copies a folder's files for which `keep` says so, with folders only where something is in them. */
export function copyTree(from, to, { keep = () => true } = {}) {
  for (const place of filesBelow(from))
    if (keep(place)) copyFile(path.join(from, place), path.join(to, place));
}

export function copyFile(from, to) {
  mkdirSync(path.dirname(to), { recursive: true });
  copyFileSync(from, to);
  chmodSync(to, (statSync(from).mode & 0o111) === 0 ? 0o644 : 0o755);
}

export function writeFile(to, content, mode = 0o644) {
  mkdirSync(path.dirname(to), { recursive: true });
  writeFileSync(to, content);
  chmodSync(to, mode);
}

/** Paths of its files from the folder, in order. */
export function filesBelow(folder, above = '') {
  return readdirSync(path.join(folder, above), { withFileTypes: true })
    .sort((a, b) => (a.name < b.name ? -1 : 1))
    .flatMap((entry) => {
      const place = path.posix.join(above, entry.name);
      if (entry.isDirectory()) return filesBelow(folder, place);
      return entry.isFile() ? [place] : [];
    });
}

/** Gives everything below and the folder itself its date and, for folders, their mode. */
export function settle(folder, seconds) {
  for (const entry of readdirSync(folder)) {
    const file = path.join(folder, entry);
    if (lstatSync(file).isDirectory()) settle(file, seconds);
    else utimesSync(file, seconds, seconds);
  }
  chmodSync(folder, 0o755);
  utimesSync(folder, seconds, seconds);
}
