// `npm run package`: a Debian package and an RPM of the build, each with its own Node.
//
//   npm run package -- [--kind deb|rpm]... [--arch ARCH] [--node FILE] [--out DIR] [--compression fast|best]
//                      [--format text|json]
//
// Without --node the Node of packaging/node-program.js is fetched from the npm registry. Progress goes to standard
// error, the packages (files, or one JSON object) to standard output.
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { parseArgs } from 'node:util';
import { architectureNamed, checkJournal } from '../packaging/architecture.js';
import { Refusal } from '../packaging/command.js';
import { buildDeb } from '../packaging/deb.js';
import { describePackage, sourceDate } from '../packaging/description.js';
import { getNodeProgram } from '../packaging/node-program.js';
import { buildRpm } from '../packaging/rpm.js';
import { stageFiles } from '../packaging/staging.js';

const root = path.resolve(import.meta.dirname, '..');
const builders = { deb: buildDeb, rpm: buildRpm };

function readWords() {
  try {
    const { values } = parseArgs({
      options: {
        kind: { type: 'string', multiple: true, default: Object.keys(builders) },
        arch: { type: 'string', default: process.arch },
        node: { type: 'string' },
        out: { type: 'string', default: 'packages' },
        compression: { type: 'string', default: 'best' },
        format: { type: 'string', default: 'text' },
      },
    });
    oneOf('--format', values.format, ['text', 'json']);
    oneOf('--compression', values.compression, ['fast', 'best']);
    for (const kind of values.kind) oneOf('--kind', kind, Object.keys(builders));
    return values;
  } catch (error) {
    throw new Refusal(error.message, 2);
  }
}

function oneOf(flag, value, known) {
  if (!known.includes(value)) throw new Error(`${flag} takes ${known.join(' or ')}, not "${value}".`);
}

function say(sentence) {
  process.stderr.write(`${sentence}\n`);
}

async function main() {
  const values = readWords();
  const architecture = architectureNamed(values.arch);
  checkJournal(architecture, root);
  const out = path.resolve(values.out);
  mkdirSync(out, { recursive: true });
  const work = mkdtempSync(path.join(tmpdir(), 'yggd-package-'));
  try {
    const description = describePackage(root);
    say(`${description.name} ${description.version} for ${architecture.name}`);
    const node = getNodeProgram({ file: values.node, architecture, work, say });
    const stage = path.join(work, 'root');
    stageFiles({ root, stage, architecture, node, description, work, date: sourceDate(root), say });
    const packages = [];
    for (const kind of new Set(values.kind)) {
      say(`building the ${kind}`);
      const job = { stage, work, out, architecture, description, date: sourceDate(root) };
      packages.push(builders[kind]({ ...job, fast: values.compression === 'fast' }));
    }
    const json = { name: description.name, version: description.version, node: node.version, packages };
    const lines = packages.map(({ file }) => file);
    process.stdout.write(values.format === 'json' ? `${JSON.stringify(json)}\n` : `${lines.join('\n')}\n`);
  } finally {
    rmSync(work, { recursive: true, force: true });
  }
}

try {
  await main();
} catch (error) {
  if (!(error instanceof Refusal)) throw error;
  say(`package: ${error.message}`);
  process.exitCode = error.exitCode;
}
