// What is said of a package that was built.
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';

export function finished({ kind, file, architecture, version }) {
  const content = readFileSync(file);
  const sha256 = createHash('sha256').update(content).digest('hex');
  return { kind, file, architecture, version, bytes: content.length, sha256 };
}
