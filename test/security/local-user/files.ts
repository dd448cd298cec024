/** The files of a daemon that runs: what another user may not read, write, replace or add. */
import { chmodSync, readdirSync } from 'node:fs';
import path from 'node:path';
import type { Attempt, Verdict } from '../attempts.ts';
import type { Person } from '../person.ts';
import { kept, type Stage } from './stage.ts';

type At = () => Stage;
type Touch = (by: Person, stage: Stage) => Promise<Verdict>;

/** Writes a file of its own and renames it over `file`. */
async function replaces(by: Person, { commons }: Stage, file: string, mode = 0o755): Promise<Verdict> {
  const own = path.join(commons, `new-${path.basename(file)}-${by.uid}`);
  await by.tries('unlink', own);
  await by.does('create', own, '#!/bin/sh\n', mode);
  return kept(await by.tries('rename', own, file));
}

const touches: Readonly<Record<string, Touch>> = {
  'write into a worker': async (by, { home }) =>
    kept(await by.tries('write', path.join(home.workerDir, 'echoworker'), '#!/bin/sh\n')),
  'replace a worker': (by, stage) => replaces(by, stage, path.join(stage.home.workerDir, 'echoworker')),
  'remove a worker': async (by, { home }) =>
    kept(await by.tries('unlink', path.join(home.workerDir, 'echoworker'))),
  'add a worker': async (by, { home }) =>
    kept(await by.tries('create', path.join(home.workerDir, 'own-worker'), '#!/bin/sh\n')),
  'add a link that is a worker': async (by, { home }) =>
    kept(await by.tries('symlink', '/bin/sh', path.join(home.workerDir, 'shell-worker'))),
  'put another directory in the place of the worker directory': async (by, { home, commons }) =>
    kept(await by.tries('rename', home.workerDir, path.join(commons, 'workers'))),
  'add the configuration of a worker': async (by, { home }) =>
    kept(await by.tries('mkdir', path.join(home.configDir, 'workers'))),
  'write into the tags': async (by, { home }) =>
    kept(await by.tries('write', path.join(home.configDir, 'tags.toml'), 'site = "elsewhere"\n')),
  'replace the tags': (by, stage) => replaces(by, stage, path.join(stage.home.configDir, 'tags.toml'), 0o644),
  'add a configuration file': async (by, { home }) =>
    kept(await by.tries('create', path.join(home.configDir, 'config.toml'), '')),
  'list the state directory': async (by, { home }) => kept(await by.tries('list', home.stateDir)),
  'read the journal': async (by, { home }) =>
    kept(await by.tries('read', path.join(home.stateDir, 'journal/data.mdb'))),
  'write into the journal': async (by, { home }) =>
    kept(await by.tries('write', path.join(home.stateDir, 'journal/data.mdb'), '')),
  'put an owner of its own into the state directory': async (by, { home }) =>
    kept(await by.tries('create', path.join(home.stateDir, 'owner.99'), '{}')),
  'write into the record of the owner': async (by, { home }) =>
    kept(await by.tries('write', path.join(home.runtimeDir, ownerOf(home.runtimeDir)), '{}')),
  'remove the record of the owner': async (by, { home }) =>
    kept(await by.tries('unlink', path.join(home.runtimeDir, ownerOf(home.runtimeDir)))),
  'add a file to the runtime directory': async (by, { home }) =>
    kept(await by.tries('create', path.join(home.runtimeDir, 'embedded.json.new'), '')),
  'give itself the state directory': async (by, { home }) =>
    kept(await by.tries('chmod', home.stateDir, 0o777)),
  'read the journal when the state directory was opened by mistake': (by, stage) =>
    opened(stage.home.stateDir, async () => {
      const journal = path.join(stage.home.stateDir, 'journal');
      return await opened(journal, async () => kept(await by.tries('read', path.join(journal, 'data.mdb'))));
    }),
  'write into the record of the owner when the state directory was opened by mistake': (by, stage) =>
    opened(stage.home.stateDir, async () =>
      kept(await by.tries('write', path.join(stage.home.stateDir, ownerOf(stage.home.stateDir)), '{}')),
    ),
};

function ownerOf(folder: string): string {
  const record = readdirSync(folder).find((name) => /^owner\.\d+$/.test(name));
  if (record === undefined) throw new Error('not made: there is no owner');
  return record;
}

async function opened(folder: string, attempt: () => Promise<Verdict>): Promise<Verdict> {
  chmodSync(folder, 0o755);
  try {
    return await attempt();
  } finally {
    chmodSync(folder, 0o700);
  }
}

export function touching(at: At): Attempt[] {
  return Object.entries(touches).map(([name, touch]) => ({ name, make: () => touch(at().stranger, at()) }));
}

export function touchingControls(at: At): Attempt[] {
  return ['replace the tags', 'read the journal', 'list the state directory'].map((name) => ({
    name: `the owner can ${name}`,
    async make() {
      const touch = touches[name];
      if (!touch) throw new Error(`no attempt ${name}`);
      return await touch(at().owner, at());
    },
  }));
}
