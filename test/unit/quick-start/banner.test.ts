import { expect, test } from 'vitest';
import { type BannerFacts, banner } from '../../../src/quick-start/banner.ts';

const facts: BannerFacts = {
  version: '0.1.0',
  clientId: 'host-1',
  workers: ['echo', 'mine'],
  folder: '/clone/.quick-start',
  temporary: false,
  workerDir: '/clone/.quick-start/workers',
  yggctl: 'npx yggctl',
  colour: false,
};

test('says who it is, what is there and what to try', () => {
  expect(banner(facts)).toBe(`yggd 0.1.0 runs, with a broker of its own

  client id   host-1
  workers     echo, mine
  files       /clone/.quick-start

Try in a second terminal, in this folder:

  npx yggctl send echo hello   a message to the echo worker, and its answer
  npx yggctl ping              is the host there, and how fast
  npx yggctl remote listen     everything that passes, live

A worker of yours: an executable whose name ends with "worker", in /clone/.quick-start/workers
Ctrl-C ends it.
`);
});

test('says so when no worker is there yet', () => {
  expect(banner({ ...facts, workers: [] })).toContain('workers     none has registered yet');
});

test('says so when nothing will stay', () => {
  expect(banner({ ...facts, temporary: true })).toContain('.quick-start (until it ends');
});

test('is the same words in colour', () => {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control sequences
  expect(banner({ ...facts, colour: true }).replace(/\u001b\[\d+m/g, '')).toBe(banner(facts));
});
