/**
 * A root folder in which packages can be installed by their own tools: a shell, the libraries it and Node need, and a
 * `systemctl` that notes what it is asked and says which units run.
 */
import { spawnSync } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Scope } from './scope.ts';
import { tempDir } from './temp-dir.ts';

export interface Ran {
  readonly status: number | null;
  /** Standard output. */
  readonly out: string;
  /** Both streams. */
  readonly said: string;
}

const systemctl = `#!/bin/sh
echo "$*" >> /systemctl.log
case "$1" in
list-units) while read -r unit; do echo "$unit loaded active running"; done < /units ;;
show) read -r value < "/unit-$3"; echo "$value" ;;
esac
`;

/** Notes whom it would be, and goes on as who it is. */
const runuser = `#!/bin/sh
echo "runuser $*" >> /systemctl.log
shift 3
exec "$@"
`;

/** What units say of themselves. */
interface UnitFacts {
  /** Below `/run`. */
  readonly runtimeDirectory?: string;
  readonly user?: string;
}

export class HostRoot {
  readonly folder: string;

  constructor(scope: Scope) {
    this.folder = tempDir(scope, 'root-');
    for (const place of [
      'dev',
      'tmp',
      'run/systemd/system',
      'var/log',
      'var/lib/dpkg/info',
      'var/lib/dpkg/updates',
    ])
      mkdirSync(this.at(place), { recursive: true });
    for (const place of ['dev/null', 'var/lib/dpkg/status', 'var/lib/dpkg/available']) this.write(place, '');
    for (const program of ['/bin/sh', '/bin/rm']) cpSync(program, this.at(program), { dereference: true });
    const { stdout } = spawnSync('ldd', ['/bin/sh', '/bin/rm', process.execPath], { encoding: 'utf8' });
    for (const [library] of stdout.matchAll(/\/\S+\.so\S*/g)) {
      if (!existsSync(this.at(library))) cpSync(library, this.at(library), { dereference: true });
    }
    this.write('usr/bin/systemctl', systemctl, 0o755);
    this.write('usr/bin/runuser', runuser, 0o755);
    this.running([]);
  }

  /** A place in it, as seen from outside. */
  at(place: string): string {
    return path.join(this.folder, place);
  }

  has(place: string): boolean {
    return existsSync(this.at(place));
  }

  read(place: string): string {
    return readFileSync(this.at(place), 'utf8');
  }

  write(place: string, content: string, mode = 0o644): void {
    mkdirSync(path.dirname(this.at(place)), { recursive: true });
    writeFileSync(this.at(place), content, { mode });
  }

  /** Units that systemctl is to say run. */
  running(units: readonly string[], { runtimeDirectory = 'yggdrasil', user = '' }: UnitFacts = {}): void {
    this.write('units', units.map((unit) => `${unit}\n`).join(''));
    this.write('unit-RuntimeDirectory', `${runtimeDirectory}\n`);
    this.write('unit-User', `${user}\n`);
    this.write('systemctl.log', '');
  }

  /** What systemctl and runuser were asked since the last `running`. */
  get asked(): readonly string[] {
    return this.read('systemctl.log').split('\n').slice(0, -1);
  }

  /** Runs a program of the root, in the root. */
  inside(...words: string[]): Ran {
    return run('chroot', [this.folder, ...words]);
  }
}

export interface PackageTool {
  readonly kind: 'deb' | 'rpm';
  /** Installs or upgrades: a program and its words. */
  installing(root: HostRoot, file: string): readonly [program: string, ...words: string[]];
  removing(root: HostRoot): readonly [program: string, ...words: string[]];
}

export const packageName = 'yggdrasil-node';

export const packageTools: readonly PackageTool[] = [
  {
    kind: 'deb',
    installing: ({ folder }, file) => ['/usr/bin/dpkg', ...dpkg(folder), '--install', file],
    removing: ({ folder }) => ['/usr/bin/dpkg', ...dpkg(folder), '--remove', packageName],
  },
  {
    kind: 'rpm',
    installing: ({ folder }, file) => ['/usr/bin/rpm', ...rpm(folder), '-U', '--replacepkgs', file],
    removing: ({ folder }) => ['/usr/bin/rpm', ...rpm(folder), '--erase', packageName],
  },
];

/** The libraries are there, but as no package. */
function dpkg(folder: string): string[] {
  return [`--root=${folder}`, '--force-depends', '--force-bad-path', '--force-unsafe-io'];
}

function rpm(folder: string): string[] {
  return ['--root', folder, '--dbpath', '/var/lib/rpm', '--nodeps'];
}

export function run(program: string, words: readonly string[]): Ran {
  const { PATH } = process.env;
  const env = { PATH: `${PATH}:/usr/sbin:/sbin`, LC_ALL: 'C' };
  const { status, stdout, stderr, error } = spawnSync(program, words, { encoding: 'utf8', env });
  return { status, out: stdout ?? '', said: `${error?.message ?? ''}${stdout ?? ''}${stderr ?? ''}` };
}
