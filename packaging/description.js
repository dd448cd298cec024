// What the packages say of themselves.
import { spawnSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import path from 'node:path';

export function describePackage(root) {
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  return {
    name: 'yggdrasil-node',
    /** What it stands in for; no host has both. */
    provides: 'yggdrasil',
    /** As package managers order them: 1.0.0~rc.1 comes before 1.0.0. */
    version: manifest.version.replace('-', '~'),
    release: '1',
    licence: manifest.license,
    maintainer: 'The yggd maintainers <yggd@localhost>',
    summary: 'host daemon between an MQTT broker and local workers',
    text: [
      'Takes messages from an MQTT broker, hands each to a local worker over gRPC,',
      'and sends the answers back. Nothing it has acknowledged is ever silently lost.',
      'Speaks the protocol of yggdrasil, whose workers need no change.',
      'Brings its own Node.',
    ],
  };
}

/** Seconds since the epoch that every file in a package is dated with, so that the same source gives the same package. */
export function sourceDate(root) {
  const given = Number(process.env.SOURCE_DATE_EPOCH);
  if (Number.isInteger(given) && given > 0) return given;
  const { stdout } = spawnSync('git', ['log', '-1', '--format=%ct'], { cwd: root, encoding: 'utf8' });
  return Number.parseInt(stdout ?? '', 10) || beforeEverything;
}

/** 1980, the oldest date that every archive can hold. */
const beforeEverything = 315_532_800;
