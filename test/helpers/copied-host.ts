/**
 * This machine, copied on writing: a script in it may install packages and write where it likes, and leaves nothing.
 *
 * Needs the rights to mount; a container often has not got them.
 */
import { copyFileSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { type Ran, run } from './host-root.ts';
import type { Scope } from './scope.ts';
import { tempDir } from './temp-dir.ts';

/** `$1` is an empty folder; what is mounted there is seen by this shell alone and ends with it. */
const enter = `set -e
mount -t tmpfs tmpfs "$1"
mkdir "$1/upper" "$1/work" "$1/root"
mount -t overlay overlay -o "lowerdir=/,upperdir=$1/upper,workdir=$1/work" "$1/root"
mount --rbind /proc "$1/root/proc"
mount --rbind /dev "$1/root/dev"
mount -t tmpfs tmpfs "$1/root/run"
shift
cd /
`;

/** In place of systemd, which does not run there: what is started is waited for until it is ready. */
const systemctl = `#!/bin/sh
case "$*" in
'enable --now yggd')
    /usr/bin/yggd >/run/yggd.log 2>&1 &
    echo $! >/run/yggd.pid
    tries=0
    until [ -S /run/yggdrasil/control.sock ]; do
        tries=$((tries + 1))
        [ $tries -lt 300 ] || exit 1
        sleep 0.1
    done
    ;;
esac
`;

export function canCopyHost(scope: Scope): boolean {
  const folder = tempDir(scope, 'host-');
  return run('unshare', ['--mount', 'sh', '-c', enter, 'sh', folder]).status === 0;
}

/** Installs the package there and runs the script, in bash, until it fails. */
export function runOnCopiedHost(scope: Scope, { deb, script }: { deb: string; script: string }): Ran {
  const folder = tempDir(scope, 'host-');
  const given = tempDir(scope, 'given-');
  copyFileSync(deb, path.join(given, 'package.deb'));
  writeFileSync(path.join(given, 'systemctl'), systemctl, { mode: 0o755 });
  const whole = `set -e
export PATH=${given}:/usr/sbin:/usr/bin:/sbin:/bin
end() {
  [ ! -f /run/yggd.pid ] || kill "$(cat /run/yggd.pid)" || :
  while [ -f /run/yggd.pid ] && kill -0 "$(cat /run/yggd.pid)" 2>/dev/null; do sleep 0.1; done
}
trap end EXIT
dpkg --force-depends --install ${given}/package.deb >/dev/null
${script}`;
  writeFileSync(path.join(given, 'script'), whole);
  const words = ['--mount', 'sh', '-c', `root=$1/root\n${enter}exec chroot "$root" /bin/bash "$1"`];
  return run('unshare', [...words, 'sh', folder, path.join(given, 'script')]);
}
