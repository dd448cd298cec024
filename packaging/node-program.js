// The Node that a package brings: a given file, or that of the registry.
import { spawnSync } from 'node:child_process';
import { closeSync, existsSync, openSync, readSync } from 'node:fs';
import path from 'node:path';
import { Refusal } from './command.js';
import { fetchPackage } from './registry.js';

const version = '24.21.0';
/** Of the packages `node-linux-*` of that version. */
const integrities = {
  x64: 'sha512-3nULszZ5X0fciYpG0t6TrdApJzAn8+FlINP6OiMX7V8HrvpATPN936U1LlReOJriLRa4e8yEqQBYCnLyPNAs7Q==',
  arm64: 'sha512-FpJRPEz2OvvTLfjIOlNGFY9JLPMKgl5m+d4oGYBLg24kJ1mmvN1Zl/HPJgF4HDaJ51ISev1l1cRZ/DM+keXW5g==',
};

/** Its file, its licence if that is beside it, and its version if it can be run here. */
export function getNodeProgram({ file, architecture, work, say }) {
  const program = file === undefined ? fetchNode(architecture, work, say) : path.resolve(file);
  checkElf(program, architecture);
  const { stdout, status } = spawnSync(program, ['--version'], { encoding: 'utf8' });
  const said = status === 0 ? stdout.trim().slice(1) : undefined;
  if (architecture.name === process.arch && said === undefined)
    throw new Refusal(`${program} is no Node: it does not say its version.`);
  const licence = ['LICENSE', '../LICENSE', '../share/doc/nodejs/copyright']
    .map((place) => path.resolve(path.dirname(program), place))
    .find((place) => existsSync(place));
  return { file: program, licence, version: said ?? (file === undefined ? version : '') };
}

function fetchNode(architecture, work, say) {
  const integrity = integrities[architecture.name];
  if (integrity === undefined) {
    throw new Refusal(
      `The npm registry has no Node for ${architecture.name}; name one for it with --node FILE.`,
    );
  }
  const name = `node-linux-${architecture.name}`;
  say(`fetching ${name}@${version}`);
  return path.join(fetchPackage({ name, version, integrity, work }), 'bin', 'node');
}

/** Throws a Refusal unless it is a program for this architecture. */
function checkElf(program, { name, elf }) {
  const header = Buffer.alloc(20);
  try {
    const descriptor = openSync(program, 'r');
    readSync(descriptor, header);
    closeSync(descriptor);
  } catch (error) {
    throw new Refusal(`Node cannot be read: ${error.message}.`);
  }
  const magic = header.subarray(0, 4).toString('latin1');
  const machine = header[5] === 2 ? header.readUInt16BE(18) : header.readUInt16LE(18);
  if (magic !== '\x7fELF') throw new Refusal(`${program} is no program; --node takes the Node to be packed.`);
  if (machine !== elf) throw new Refusal(`${program} is not built for ${name}.`);
}
