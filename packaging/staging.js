// Puts everything a host gets into a folder that looks like the host's root.
import { chmodSync, existsSync, mkdirSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { gzipSync } from 'node:zlib';
import { run } from './command.js';
import { stageModules } from './modules.js';
import { copyFile, copyTree, filesBelow, settle, writeFile } from './tree.js';
import { stageUnits } from './units.js';

const lib = 'usr/lib/yggdrasil';
const app = `${lib}/app`;
const files = path.join(import.meta.dirname, 'files');

export function stageFiles({ root, stage, architecture, node, description, work, date, say }) {
  const manifest = JSON.parse(readFileSync(path.join(root, 'package.json'), 'utf8'));
  const at = (place) => path.join(stage, place);
  const own = (place) => path.join(root, place);

  copyFile(node.file, at(`${lib}/bin/node`));
  chmodSync(at(`${lib}/bin/node`), 0o755);
  const { name, version, license, type, engines, exports } = manifest;
  writeFile(
    at(`${app}/package.json`),
    `${JSON.stringify({ name, version, license, type, engines, exports })}\n`,
  );
  copyTree(own('dist'), at(`${app}/dist`), {
    keep: (place) => !/\.d\.ts$|\.map$|(^|\/)\.[^/]*$/.test(place),
  });
  copyTree(own('protocol'), at(`${app}/protocol`));
  say('copying the packages it stands on');
  stageModules({ root, to: at(app), architecture, work, say });

  for (const program of Object.keys(manifest.bin)) {
    writeFile(at(`usr/bin/${program}`), launcher(`dist/cmd/${program}.js`), 0o755);
  }
  stageWorkers({ root, at });
  copyFile(path.join(files, 'config.toml'), at(`${lib}/config.toml`));
  for (const folder of ['usr/libexec/yggdrasil', 'etc/yggdrasil/workers']) {
    mkdirSync(at(folder), { recursive: true });
  }
  stageUnits({ from: own('systemd'), at });
  say('writing manual pages and completions');
  stageManual({ root, at, programs: Object.keys(manifest.bin) });
  const pkgconfig = readFileSync(path.join(files, 'yggdrasil.pc'), 'utf8');
  writeFile(at('usr/share/pkgconfig/yggdrasil.pc'), pkgconfig.replace('@VERSION@', version));
  const doc = `usr/share/doc/${description.name}`;
  for (const file of ['README.md', 'CHANGELOG.md', 'config.toml.example'])
    copyFile(own(file), at(`${doc}/${file}`));
  copyTree(own('docs'), at(`${doc}/docs`));
  writeFile(at(`${doc}/copyright`), copyright({ root, node, description }));
  settle(stage, date);
}

/** Starts a program of the package with the Node of the package, whatever else is installed. */
function launcher(program) {
  return `#!/${lib}/bin/node\nimport('/${app}/${program}');\n`;
}

/** Workers that an administrator may put to use by copying their file. */
function stageWorkers({ root, at }) {
  for (const worker of readdirSync(path.join(root, 'workers'))) {
    if (!existsSync(path.join(root, 'dist', 'workers', worker, 'worker.js'))) continue;
    writeFile(at(`${lib}/workers/${worker}.worker`), launcher(`dist/workers/${worker}/worker.js`), 0o755);
    const folder = path.join(root, 'workers', worker);
    for (const file of filesBelow(folder).filter((place) => /^[^/]+\.toml$/.test(place)))
      copyFile(path.join(folder, file), at(`${lib}/workers/${file}`));
  }
}

function stageManual({ root, at, programs }) {
  const say = (program, ...words) =>
    run(process.execPath, [path.join(root, 'dist', 'cmd', `${program}.js`), ...words]);
  const page = (text) => {
    const [, name, section] = /^\.TH "?([^ "]+)"? (\d)/.exec(text.replaceAll('\\-', '-')) ?? [];
    const file = `usr/share/man/man${section}/${name?.toLowerCase()}.${section}.gz`;
    writeFile(at(file), gzipSync(text, { level: 9 }));
  };
  page(say('yggd', '--generate-config-page'));
  for (const program of programs) {
    page(say(program, '--generate-man-page'));
    const completion = (shell) => say(program, '--generate-completion', shell);
    writeFile(at(`usr/share/bash-completion/completions/${program}`), completion('bash'));
    writeFile(at(`usr/share/zsh/site-functions/_${program}`), completion('zsh'));
    writeFile(at(`usr/share/fish/vendor_completions.d/${program}.fish`), completion('fish'));
  }
}

function copyright({ root, node, description }) {
  const own = readFileSync(path.join(root, 'LICENSE'), 'utf8');
  const nodeLicence = node.licence
    ? readFileSync(node.licence, 'utf8')
    : 'Its licence is at https://github.com/nodejs/node/blob/main/LICENSE.\n';
  return [
    `${description.name} is under the licence ${description.licence}, whose text follows.\n`,
    `The packages below /${app}/node_modules have their own licences, each in its folder.\n`,
    `Node, in /${lib}/bin, has its own licence too; it comes last.\n\n${own}\n`,
    `${'-'.repeat(72)}\nNode ${node.version}\n\n${nodeLicence}`,
  ].join('');
}
