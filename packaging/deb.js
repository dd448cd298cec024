// The Debian package.
import { createHash } from 'node:crypto';
import { cpSync, readFileSync, renameSync, statSync } from 'node:fs';
import path from 'node:path';
import { run } from './command.js';
import { finished } from './result.js';
import { maintainerScript } from './steps.js';
import { filesBelow, settle, writeFile } from './tree.js';

export function buildDeb({ stage, work, out, architecture, description, date, fast }) {
  const tree = path.join(work, 'deb');
  cpSync(stage, tree, { recursive: true });
  // Debian looks for completions of zsh elsewhere.
  const zsh = path.join(tree, 'usr/share/zsh');
  renameSync(path.join(zsh, 'site-functions'), path.join(zsh, 'vendor-completions'));
  const files = filesBelow(tree);
  const control = path.join(tree, 'DEBIAN');
  writeFile(path.join(control, 'control'), controlFile({ tree, files, architecture, description }));
  writeFile(path.join(control, 'md5sums'), checksums(tree, files));
  for (const [script, body] of Object.entries(scripts)) {
    writeFile(path.join(control, script), maintainerScript(body), 0o755);
  }
  settle(tree, date);
  const version = `${description.version}-${description.release}`;
  const file = path.join(out, `${description.name}_${version}_${architecture.deb}.deb`);
  const compression = fast ? ['-Znone'] : ['-Zxz', '-z6'];
  run('dpkg-deb', ['--root-owner-group', ...compression, '--build', tree, file], {
    env: { SOURCE_DATE_EPOCH: String(date) },
    needs: 'dpkg',
  });
  return finished({ kind: 'deb', file, architecture: architecture.deb, version });
}

/** What each does, in the words of steps.sh. */
const scripts = {
  postinst: `case "$1" in
configure)
    prepare_host
    [ -z "$2" ] || restart_units
    ;;
esac`,
  prerm: `case "$1" in
remove) stop_units ;;
esac`,
  postrm: `case "$1" in
remove) reload_systemd ;;
purge) forget_state ;;
esac`,
};

function controlFile({ tree, files, architecture, description }) {
  const { name, provides, version, release, maintainer, summary, text } = description;
  const bytes = files.reduce((sum, file) => sum + statSync(path.join(tree, file)).size, 0);
  return `${[
    `Package: ${name}`,
    `Version: ${version}-${release}`,
    `Architecture: ${architecture.deb}`,
    `Maintainer: ${maintainer}`,
    `Installed-Size: ${Math.ceil(bytes / 1024)}`,
    'Section: admin',
    'Priority: optional',
    'Depends: libc6 (>= 2.28), libgcc-s1, libstdc++6',
    'Recommends: systemd, util-linux',
    `Provides: ${provides} (= ${version}-${release})`,
    `Conflicts: ${provides}`,
    `Replaces: ${provides}`,
    `Description: ${summary}`,
    ...text.map((line) => ` ${line}`),
  ].join('\n')}\n`;
}

function checksums(tree, files) {
  const lines = files.map((file) => {
    const sum = createHash('md5')
      .update(readFileSync(path.join(tree, file)))
      .digest('hex');
    return `${sum}  ${file}\n`;
  });
  return lines.join('');
}
