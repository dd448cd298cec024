/**
 * Programs of another user in the place of workers: an administrator has left something open, the other user has used
 * it, and the daemon starts. What it must not do is run it.
 */
import { chmodSync, chownSync, existsSync, mkdirSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { Scope } from '../../helpers/scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { type Home, startYggd, type Yggd } from '../../helpers/yggd.ts';
import type { Attempt, Verdict } from '../attempts.ts';
import { nobody, type Person } from '../person.ts';
import { directory, openCommons, openHome } from './stage.ts';

interface Ground {
  readonly home: Home;
  /** Of the other user. */
  readonly own: string;
  /** A program that shows that it was run, as text. */
  readonly evil: string;
  /** The same for a value of the environment. */
  readonly mark: string;
  /** A file of the daemon's user that does no harm. */
  put(file: string, text?: string, mode?: number): string;
}

/** What is left open and used. Returns the worker directory to add, if it is about another one. */
type Swap = (by: Person, name: string, ground: Ground) => Promise<string | undefined>;

const harmless = '#!/bin/sh\nexec sleep 1000\n';
/** Does what its configuration says, which only an administrator may write. */
const trusting = '#!/bin/sh\n[ -n "$INJECTED" ] && : >"$INJECTED"\nexec sleep 1000\n';

const swaps: Readonly<Record<string, Swap>> = {
  async 'a worker that everybody may write'(by, name, { home, evil, put }) {
    await by.does('write', put(path.join(home.workerDir, name), harmless, 0o777), evil);
    return undefined;
  },
  async 'a worker of another user'(by, name, { home, evil, put }) {
    const file = put(path.join(home.workerDir, name));
    chownSync(file, nobody, nobody);
    await by.does('write', file, evil);
    return undefined;
  },
  async 'a worker that a group may write'(by, name, { home, evil, put }) {
    const file = put(path.join(home.workerDir, name), harmless, 0o775);
    chownSync(file, 0, nobody);
    await by.does('write', file, evil);
    return undefined;
  },
  async 'a link to a program of another user'(by, name, { home, own, evil }) {
    await by.does('create', path.join(own, name), evil);
    symlinkSync(path.join(own, name), path.join(home.workerDir, name));
    return undefined;
  },
  async 'a link to a program in a directory that everybody may write'(by, name, { home, own, evil, put }) {
    const open = directory(path.dirname(home.workerDir), `open-${name}`, 0o777);
    const file = put(path.join(open, name));
    symlinkSync(file, path.join(home.workerDir, name));
    await by.does('create', path.join(own, name), evil);
    await by.does('rename', path.join(own, name), file);
    return undefined;
  },
  async 'a worker directory that everybody may write'(by, name, { home, evil }) {
    const open = directory(path.dirname(home.workerDir), `open-${name}`, 0o777);
    await by.does('create', path.join(open, name), evil);
    return open;
  },
  async 'a worker directory like /tmp'(by, name, { home, evil }) {
    const open = directory(path.dirname(home.workerDir), `open-${name}`, 0o1777);
    await by.does('create', path.join(open, name), evil);
    return open;
  },
  async 'a worker directory of another user'(by, name, { own, evil }) {
    await by.does('mkdir', path.join(own, 'workers'), 0o755);
    await by.does('create', path.join(own, 'workers', name), evil);
    return path.join(own, 'workers');
  },
  async 'a worker directory that a group may write'(by, name, { home, evil }) {
    const open = directory(path.dirname(home.workerDir), `open-${name}`, 0o775);
    chownSync(open, 0, nobody);
    await by.does('create', path.join(open, name), evil);
    return open;
  },
  async 'a link of another user to a worker directory'(by, name, { own, evil }) {
    await by.does('mkdir', path.join(own, 'there'), 0o755);
    await by.does('create', path.join(own, 'there', name), evil);
    await by.does('symlink', path.join(own, 'there'), path.join(own, 'link'));
    return path.join(own, 'link');
  },
  async 'another directory in the place of a worker directory whose parent everybody may write'(
    by,
    name,
    { home, evil, put },
  ) {
    const open = directory(path.dirname(home.workerDir), `open-${name}`, 0o777);
    const workers = directory(open, 'workers', 0o755);
    put(path.join(workers, name));
    await by.does('rename', workers, path.join(open, 'old'));
    await by.does('mkdir', workers, 0o755);
    await by.does('create', path.join(workers, name), evil);
    return workers;
  },
  async 'the configuration of a worker that everybody may write'(by, name, { home, mark, put }) {
    put(path.join(home.workerDir, name), trusting);
    const file = put(path.join(home.configDir, 'workers', `${name}.toml`), 'env = []\n', 0o666);
    await by.does('write', file, `env = ["INJECTED=${mark}"]\n`);
    return undefined;
  },
  async 'the configuration of a worker that another user owns'(by, name, { home, mark, put }) {
    put(path.join(home.workerDir, name), trusting);
    const file = put(path.join(home.configDir, 'workers', `${name}.toml`), 'env = []\n', 0o644);
    chownSync(file, nobody, nobody);
    await by.does('write', file, `env = ["INJECTED=${mark}"]\n`);
    return undefined;
  },
  async 'the configuration of a worker that is a link to a file of another user'(
    by,
    name,
    { home, own, mark, put },
  ) {
    put(path.join(home.workerDir, name), trusting);
    await by.does('create', path.join(own, `${name}.toml`), `env = ["INJECTED=${mark}"]\n`, 0o644);
    symlinkSync(path.join(own, `${name}.toml`), path.join(home.configDir, 'workers', `${name}.toml`));
    return undefined;
  },
  async 'an interpreter that everybody may write'(by, name, { home, evil, put }) {
    const interpreter = put(path.join(path.dirname(home.workerDir), `sh-${name}`), harmless, 0o777);
    put(path.join(home.workerDir, name), `#!${interpreter}\n`);
    await by.does('write', interpreter, evil);
    return undefined;
  },
  async 'an interpreter of another user'(by, name, { home, own, evil, put }) {
    await by.does('create', path.join(own, `sh-${name}`), evil);
    put(path.join(home.workerDir, name), `#!${path.join(own, `sh-${name}`)} -x\n`);
    return undefined;
  },
  async 'an interpreter in a directory that everybody may write'(by, name, { home, own, evil, put }) {
    const open = directory(path.dirname(home.workerDir), `open-${name}`, 0o777);
    const interpreter = put(path.join(open, 'sh'));
    put(path.join(home.workerDir, name), `#! ${interpreter}\n`);
    await by.does('create', path.join(own, `sh-${name}`), evil);
    await by.does('rename', path.join(own, `sh-${name}`), interpreter);
    return undefined;
  },
};

/** Things that are as they should be: they do run, which shows that the marks of the others would be seen. */
const regular: Readonly<Record<string, Swap>> = {
  async 'a worker of the owner'(_, name, { home, evil, put }) {
    put(path.join(home.workerDir, name), evil);
    return undefined;
  },
  async 'the configuration of a worker by the owner'(_, name, { home, mark, put }) {
    put(path.join(home.workerDir, name), trusting);
    put(path.join(home.configDir, 'workers', `${name}.toml`), `env = ["INJECTED=${mark}"]\n`, 0o644);
    return undefined;
  },
  async 'an interpreter of the owner'(_, name, { home, evil, put }) {
    const interpreter = put(path.join(path.dirname(home.workerDir), `sh-${name}`), evil);
    put(path.join(home.workerDir, name), `#!${interpreter}\n`);
    return undefined;
  },
};

/** A daemon that started after all of it was done. */
export class SwapField {
  readonly #yggd: Yggd;
  readonly #marks: string;
  readonly #failures: ReadonlyMap<string, unknown>;

  private constructor(yggd: Yggd, marks: string, failures: ReadonlyMap<string, unknown>) {
    this.#yggd = yggd;
    this.#marks = marks;
    this.#failures = failures;
  }

  static async open(scope: Scope, by: Person): Promise<SwapField> {
    const home = openHome(scope);
    mkdirSync(path.join(home.configDir, 'workers'), { mode: 0o755 });
    const commons = openCommons(scope);
    const marks = directory(commons, 'marks', 0o777);
    const failures = new Map<string, unknown>();
    const flags: string[] = ['--protocol', 'none'];
    for (const [what, swap] of Object.entries({ ...swaps, ...regular })) {
      const name = nameOf(what);
      const own = path.join(commons, `own-${name}`);
      const mark = path.join(marks, name);
      try {
        await by.does('mkdir', own, 0o755);
        const evil = `#!/bin/sh\n: >${mark}\nexec sleep 1000\n`;
        const another = await swap(by, name, { home, own, evil, mark, put });
        if (another !== undefined) flags.push('--worker-dir', another);
      } catch (error) {
        failures.set(what, error);
      }
    }
    return new SwapField(startYggd(scope, { home, brokers: [], flags }), marks, failures);
  }

  /** Run is succeeded; refused for its path, and not run, is stopped. */
  async look(what: string): Promise<Verdict> {
    if (this.#failures.has(what)) throw this.#failures.get(what);
    const name = nameOf(what);
    const ran = (): boolean => existsSync(path.join(this.#marks, name));
    const refused = (): string =>
      String(this.#yggd.logged({ worker: name, code: 'YGG_UNSAFE_PATH' })[0]?.['error'] ?? '');
    await waitFor(() => ran() || refused() !== '', {
      what: `word about ${name}`,
      deadline: 30_000,
      detail: () => this.#yggd.output,
    });
    return { succeeded: ran(), how: refused() };
  }
}

function nameOf(what: string): string {
  return `${what.replaceAll(/[^a-z]+/g, '-')}-worker`;
}

function put(file: string, text: string = harmless, mode = 0o755): string {
  writeFileSync(file, text);
  chmodSync(file, mode);
  return file;
}

export function swapping(field: () => SwapField): Attempt[] {
  return Object.keys(swaps).map((name) => ({ name: `have run: ${name}`, make: () => field().look(name) }));
}

export function swappingControls(field: () => SwapField): Attempt[] {
  return Object.keys(regular).map((name) => ({ name, make: () => field().look(name) }));
}
