// The RPM.
import { readdirSync, renameSync } from 'node:fs';
import path from 'node:path';
import { run } from './command.js';
import { finished } from './result.js';
import { steps } from './steps.js';
import { filesBelow, writeFile } from './tree.js';

/** Folders that are the package's own, with all that is in them. */
const wholeFolders = ['usr/lib/yggdrasil', 'usr/share/doc/yggdrasil-node'];
const emptyFolders = ['usr/libexec/yggdrasil', 'etc/yggdrasil', 'etc/yggdrasil/workers'];

export function buildRpm({ stage, work, out, architecture, description, date, fast }) {
  const top = path.join(work, 'rpm');
  const spec = path.join(top, 'package.spec');
  writeFile(spec, specFile({ stage, description, fast }));
  const words = ['-bb', '--target', `${architecture.rpm}-linux`, '--define', `_topdir ${top}`, spec];
  run('rpmbuild', words, { env: { SOURCE_DATE_EPOCH: String(date) }, needs: 'rpm-build (Debian: rpm)' });
  const folder = path.join(top, 'RPMS', architecture.rpm);
  const [name] = readdirSync(folder);
  const file = path.join(out, name);
  run('cp', [path.join(folder, name), `${file}.part`]);
  renameSync(`${file}.part`, file);
  const version = `${description.version}-${description.release}`;
  return finished({ kind: 'rpm', file, architecture: architecture.rpm, version });
}

/** `$1` is how many of the package there are afterwards. */
const scriptlets = {
  post: 'prepare_host',
  // When the transaction is over: what the new version needs is whole only then.
  posttrans: 'restart_units',
  preun: '[ "$1" -gt 0 ] || stop_units',
  postun: 'reload_systemd',
};

function specFile({ stage, description, fast }) {
  const { name, provides, version, release, licence, summary, text } = description;
  return `${[
    '%global __os_install_post %{nil}',
    '%global _build_id_links none',
    '%global debug_package %{nil}',
    '%global use_source_date_epoch_as_buildtime 1',
    '%global clamp_mtime_to_source_date_epoch 1',
    '%global _buildhost localhost',
    `%global _binary_payload ${fast ? 'w.ufdio' : 'w6.xzdio'}`,
    `Name: ${name}`,
    `Version: ${version}`,
    `Release: ${release}`,
    `Summary: ${summary.charAt(0).toUpperCase()}${summary.slice(1)}`,
    `License: ${licence} AND MIT`,
    'AutoReqProv: no',
    'Requires: glibc >= 2.28, libgcc, libstdc++, /bin/sh',
    'Recommends: systemd, util-linux',
    `Provides: ${provides} = ${version}-${release}`,
    `Conflicts: ${provides}`,
    '%description',
    ...text,
    '%install',
    `cp -al '${stage}/.' %{buildroot}/`,
    // A host may be without documents, but not without licences.
    `mkdir -p %{buildroot}/usr/share/licenses/${name}`,
    `mv %{buildroot}/usr/share/doc/${name}/copyright %{buildroot}/usr/share/licenses/${name}/LICENSE`,
    ...Object.entries(scriptlets).map(([when, body]) => `%${when}\n${macroSafe(`${steps}\n${body}\n:`)}`),
    '%files',
    '%defattr(-,root,root,-)',
    `%license "/usr/share/licenses/${name}/LICENSE"`,
    ...filesSection(stage),
  ].join('\n')}\n`;
}

function filesSection(stage) {
  const single = filesBelow(stage).filter(
    (file) => !wholeFolders.some((folder) => file.startsWith(`${folder}/`)),
  );
  return [
    ...wholeFolders.map((folder) => `"/${folder}"`),
    ...emptyFolders.map((folder) => `%dir "/${folder}"`),
    ...single.map((file) => `"/${file}"`),
  ];
}

/** rpm reads scriptlets for its own words first. */
function macroSafe(script) {
  return script.replaceAll('%', '%%');
}
