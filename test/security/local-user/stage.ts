/**
 * The place of the attempts: a daemon of this user with workers, an embedded broker and all its files, in directories
 * whose parents everybody may enter, so that nothing but what the daemon itself does keeps others out.
 */
import { chmodSync, mkdirSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Scope } from '../../helpers/scope.ts';
import { tempDir } from '../../helpers/temp-dir.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { echoWorker } from '../../helpers/worker-files.ts';
import { createHome, type Home, startYggd, type Yggd } from '../../helpers/yggd.ts';
import type { Verdict } from '../attempts.ts';
import { nobody, Person, type Said } from '../person.ts';

export interface Stage {
  readonly scope: Scope;
  readonly home: Home;
  readonly yggd: Yggd;
  readonly stranger: Person;
  /** The user the daemon runs as. */
  readonly owner: Person;
  /** Everybody may write here; nobody may remove what others own. */
  readonly commons: string;
}

/** Another user can only be had by somebody who may become one. */
export const canTry: boolean = process.getuid?.() === 0;

export async function openStage(scope: Scope): Promise<Stage> {
  const commons = openCommons(scope);
  const home = openHome(scope);
  home.install(echoWorker());
  writeFileSync(path.join(home.configDir, 'tags.toml'), 'site = "here"\n', { mode: 0o644 });
  const yggd = startYggd(scope, { home, brokers: ['embedded'], logLevel: 'debug' });
  await running(yggd, home);
  await yggd.says({ msg: 'worker registered' });
  const [stranger, owner] = [new Person(scope, nobody), new Person(scope, 0)];
  return { scope, home, yggd, stranger, owner, commons };
}

/** A home whose root everybody may enter. */
export function openHome(scope: Scope): Home {
  const home = createHome(scope);
  chmodSync(path.dirname(home.runtimeDir), 0o755);
  return home;
}

/** A directory like /tmp. */
export function openCommons(scope: Scope): string {
  const folder = tempDir(scope, 'ygg-commons-');
  chmodSync(folder, 0o1777);
  return folder;
}

/** A directory with exactly this mode and owner. */
export function directory(parent: string, name: string, mode: number): string {
  const made = path.join(parent, name);
  mkdirSync(made);
  chmodSync(made, mode);
  return made;
}

/** Up when its last socket is there. */
export async function running(yggd: Yggd, home: Home): Promise<void> {
  await waitFor(() => home.runtimeFiles().includes('control.sock') || yggd.exit, {
    what: 'the control socket',
    deadline: 30_000,
    detail: () => yggd.output,
  });
  if (yggd.exit) throw new Error(`the daemon ended\n${yggd.output}`);
}

/** What the system's answer says about an attempt. `stopped` are the errors that mean that it was kept out. */
export function kept(said: Said, ...stopped: readonly string[]): Verdict {
  if (said.ok) return { succeeded: true, how: JSON.stringify(said.got) ?? 'it was done' };
  const errors = stopped.length > 0 ? stopped : ['EACCES', 'EPERM'];
  if (errors.includes(said.error)) return { succeeded: false, how: said.error };
  throw new Error(`not made: ${said.error}, ${said.sentence}`);
}
