// What both package managers run around the files, in shell.
import { readFileSync } from 'node:fs';
import path from 'node:path';

const file = path.join(import.meta.dirname, 'files', 'steps.sh');

export const steps = readFileSync(file, 'utf8').replace(/^#!.*\n/, '');

export function maintainerScript(body) {
  return `#!/bin/sh\nset -e\n${steps}\n${body}\nexit 0\n`;
}
