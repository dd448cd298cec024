// The architectures packages can be for, under the names that Node, Debian and RPM have for them.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { Refusal } from './command.js';

/** `elf` is e_machine of ELF. */
const architectures = [
  { name: 'x64', deb: 'amd64', rpm: 'x86_64', elf: 62 },
  { name: 'arm64', deb: 'arm64', rpm: 'aarch64', elf: 183 },
  { name: 'arm', deb: 'armhf', rpm: 'armv7hl', elf: 40 },
  { name: 'ppc64', deb: 'ppc64el', rpm: 'ppc64le', elf: 21 },
  { name: 's390x', deb: 's390x', rpm: 's390x', elf: 22 },
  { name: 'riscv64', deb: 'riscv64', rpm: 'riscv64', elf: 243 },
  { name: 'loong64', deb: 'loong64', rpm: 'loongarch64', elf: 258 },
];

/** By any of its names. */
export function architectureNamed(word) {
  const found = architectures.find(({ name, deb, rpm }) => [name, deb, rpm].includes(word));
  if (found) return found;
  const known = architectures.map(({ name }) => name).join(', ');
  throw new Refusal(`"${word}" is no architecture that is known here; known are ${known}.`, 2);
}

/** The journal stands on native code, which has to be there for it already built. */
export function checkJournal({ name }, root) {
  const lock = JSON.parse(readFileSync(path.join(root, 'package-lock.json'), 'utf8'));
  const prefix = 'node_modules/@lmdb/lmdb-linux-';
  const built = Object.keys(lock.packages)
    .filter((place) => place.startsWith(prefix))
    .map((place) => place.slice(prefix.length));
  if (built.includes(name)) return;
  throw new Refusal(
    `There is no package for ${name}: the journal has no native code for it. LMDB is built for ${built.join(', ')}.`,
  );
}
