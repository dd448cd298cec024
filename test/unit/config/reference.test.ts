import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { loadOptions } from '../../../src/config/load.ts';
import type { Environment } from '../../../src/config/options.ts';
import { configPage, exampleToml, optionsMarkdown } from '../../../src/config/reference.ts';
import { optionFields, optionName } from '../../../src/config/table.ts';

const root = path.resolve(import.meta.dirname, '../../..');

const environment: Environment = {
  uid: 0,
  currentDirectory: '/',
  homeDirectory: '/root',
  temporaryDirectory: '/tmp',
  variables: {},
};

describe('the files in the project are what the table says; yggd --generate-... makes them anew', () => {
  test('config.toml.example', () => {
    expect(readFileSync(path.join(root, 'config.toml.example'), 'utf8')).toBe(exampleToml());
  });

  test('docs/configure.md', () => {
    expect(readFileSync(path.join(root, 'docs/configure.md'), 'utf8')).toContain(optionsMarkdown());
  });
});

describe('config.toml.example', () => {
  let dir = '';
  beforeEach(() => {
    dir = mkdtempSync(path.join(tmpdir(), 'example-'));
  });
  afterEach(() => rmSync(dir, { recursive: true, force: true }));

  const load = (content: string): ReturnType<typeof loadOptions> => {
    const file = path.join(dir, 'config.toml');
    writeFileSync(file, content);
    return loadOptions({ flags: {}, environment, file, vendorFile: path.join(dir, 'none') });
  };

  test('says nothing as it stands', () => {
    expect(load(exampleToml()).options).toEqual(load('').options);
  });

  test('every line of it can be used', () => {
    const everything = exampleToml().replaceAll(/^#(?=[a-z-]+ = )/gm, '');
    const { options, warnings } = load(everything);
    expect(warnings).toEqual([]);
    expect(options).toMatchObject({ broker: ['mqtts://broker.example.com:8883'], logFormat: 'text' });
    for (const field of optionFields) expect(everything).toMatch(new RegExp(`^${optionName(field)} = `, 'm'));
  });

  test('what has a default shows it', () => {
    const everything = exampleToml().replaceAll(/^#(?=[a-z-]+ = )/gm, '');
    const shown = load(everything).options;
    const defaults = load('').options;
    expect(shown).toMatchObject({
      mqttKeepAlive: defaults.mqttKeepAlive,
      inboxLimit: defaults.inboxLimit,
      deadLimit: defaults.deadLimit,
      maxContentSize: defaults.maxContentSize,
      disconnectHold: defaults.disconnectHold,
      workerDir: defaults.workerDir,
    });
  });
});

test('the manual page of the configuration has every option', () => {
  const page = configPage('1.2.3').replaceAll('\\-', '-');
  for (const field of optionFields) expect(page).toContain(`\\fB${optionName(field)}\\fR`);
});
