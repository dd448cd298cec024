// Where the files of systemd/ go.
import { existsSync } from 'node:fs';
import path from 'node:path';
import { copyFile, filesBelow } from './tree.js';

/** By the end of the name or the folder; the first that fits. */
const places = [
  // Units stricter than the usual one are there to be copied by who wants them.
  [/\.(service|socket|path|timer)\.d\/|(^|\/)strict/, (place) => `usr/lib/yggdrasil/systemd/${place}`],
  [/\.(service|socket|path|timer|target|slice)$/, (place) => `usr/lib/systemd/system/${name(place)}`],
  [/\.preset$/, (place) => `usr/lib/systemd/system-preset/${name(place)}`],
  [/tmpfiles/, () => 'usr/lib/tmpfiles.d/yggdrasil.conf'],
  [/sysusers/, () => 'usr/lib/sysusers.d/yggdrasil.conf'],
];

function name(place) {
  return path.posix.basename(place);
}

export function stageUnits({ from, at }) {
  if (!existsSync(from)) return;
  for (const place of filesBelow(from)) {
    const found = places.find(([pattern]) => pattern.test(place));
    if (found) copyFile(path.join(from, place), at(found[1](place)));
  }
}
