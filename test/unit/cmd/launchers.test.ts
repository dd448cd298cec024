import { spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import { beforeEach, describe, expect, test } from 'vitest';
import { tempDir } from '../../helpers/temp-dir.ts';
import { testScope } from '../../helpers/test-scope.ts';

describe.each(['ygg', 'yggctl'])('the launcher of %s', (name) => {
  const launcher = path.resolve(import.meta.dirname, '../../../cmd', name);
  let clone: string;

  beforeEach(() => {
    clone = tempDir(testScope());
    mkdirSync(path.join(clone, 'cmd'));
    writeFileSync(path.join(clone, 'package.json'), '{"type":"module"}');
    copyFileSync(launcher, path.join(clone, 'cmd', name));
  });

  function run(program: string): { status: number | null; stdout: string; stderr: string } {
    return spawnSync(process.execPath, [program, 'ping'], { encoding: 'utf8' });
  }

  test('can be executed as it is committed', () => {
    expect(statSync(launcher).mode & 0o111).toBe(0o111);
  });

  test('says to build what is not built', () => {
    expect(run(path.join(clone, 'cmd', name))).toMatchObject({
      status: 78,
      stdout: '',
      stderr: `${name} is not built yet; run: npm run build\n`,
    });
  });

  test('runs what is built, also through the link that npm makes', () => {
    mkdirSync(path.join(clone, 'dist/cmd'), { recursive: true });
    writeFileSync(path.join(clone, `dist/cmd/${name}.js`), 'console.log(process.argv[2])');
    const link = path.join(clone, 'link');
    symlinkSync(path.join(clone, 'cmd', name), link);
    expect(run(link)).toMatchObject({ status: 0, stdout: 'ping\n' });
  });
});
