// Packages of the npm registry, unpacked beside the project.
import { createHash } from 'node:crypto';
import { mkdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { Refusal, run } from './command.js';

/** Fetches `name@version`, whose archive must have this checksum; gives the folder it is unpacked in. */
export function fetchPackage({ name, version, integrity, work }) {
  const folder = path.join(work, 'registry', name.replace('/', '+'));
  mkdirSync(folder, { recursive: true });
  const words = ['pack', '--json', '--pack-destination', folder, `${name}@${version}`];
  const [packed] = JSON.parse(run('npm', words, { cwd: folder }));
  const archive = path.join(folder, packed.filename.replace('@', '').replace('/', '-'));
  const checksum = `sha512-${createHash('sha512').update(readFileSync(archive)).digest('base64')}`;
  if (checksum !== integrity) {
    throw new Refusal(
      `${name}@${version} of the registry is not what it was: ${checksum}, not ${integrity}.`,
    );
  }
  run('tar', ['-xzf', archive, '--no-same-owner', '-C', folder]);
  return path.join(folder, 'package');
}
