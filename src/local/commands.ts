/**
 * The commands of yggctl for the daemon of this machine.
 */
import type { Command } from 'commander';
import type { Clock } from '../base/clock.ts';
import { reasonOf, YggError } from '../base/errors.ts';
import type { LogLevel } from '../base/log.ts';
import { Printer, type Screen } from '../base/printer.ts';
import type { Control } from '../control-api.ts';
import {
  dropDeadLetters,
  listDeadLetters,
  listen,
  listMessages,
  listWorkers,
  reload,
  restart,
  retryDeadLetters,
  type Surroundings,
  setLogLevel,
  showMessage,
  showStatus,
} from './actions.ts';
import { type DaemonDoorDeps, type Desks, withDaemon, withDesks } from './daemon-door.ts';
import { dispatch } from './dispatch.ts';
import {
  addCommon,
  addFilters,
  addPlace,
  type CommonFlags,
  collect,
  type DispatchFlags,
  type FlagReaders,
  keyOf,
  type ListFlags,
  levelArgument,
  queryOf,
  type RestartFlags,
  type ShowFlags,
  spanOption,
  stateOption,
} from './flags.ts';

export interface LocalCommandsDeps extends DaemonDoorDeps, FlagReaders {
  /** The `--metadata NAME=VALUE` entries; `null` when there are none. Throws `YGG_USAGE`. */
  readMetadata(entries: readonly string[]): Readonly<Record<string, string>> | null;
  /** Bytes of a file; throws when it cannot be read. */
  readFile(path: string): Uint8Array;
  /** All of standard input. */
  readStdin(): Promise<Uint8Array>;
  /** Resolves when the person has had enough. */
  interrupted(): Promise<void>;
  readonly clock: Clock;
  readonly out: Screen;
  readonly err: Screen;
}

export function addLocalCommands(program: Command, deps: LocalCommandsDeps): void {
  addStatus(program, deps);
  addWorkers(program, deps);
  addMessages(program, deps);
  addDeadLetters(program, deps);
  addDispatch(program, deps);
  addListen(program, deps);
  addLogLevel(program, deps);
  addReload(program, deps);
  addRestart(program, deps);
}

function addStatus(program: Command, deps: LocalCommandsDeps): void {
  addCommon(program.command('status'), deps)
    .summary('how the daemon is: broker, workers, messages, disk, counters')
    .description('Says how the daemon is: broker, workers, messages, disk, every counter.')
    .action((flags: CommonFlags) => onDaemon(flags, deps, showStatus));
}

function addWorkers(program: Command, deps: LocalCommandsDeps): void {
  const workers = program.command('workers').summary('the workers of the daemon');
  addCommon(workers.command('list'), deps)
    .summary('registered workers, and worker programs that have not registered')
    .action((flags: CommonFlags) => onDaemon(flags, deps, listWorkers));
}

function addMessages(program: Command, deps: LocalCommandsDeps): void {
  const messages = program.command('messages').summary('messages of any state; also while no daemon runs');
  addFilters(messages.command('list'), deps)
    .summary('messages, the latest first')
    .addOption(stateOption())
    .action((flags: ListFlags) =>
      onDesks(flags, deps, (desks, around) => listMessages(desks, queryOf(flags), around)),
    );
  addShow(messages, 'message', deps);
}

function addDeadLetters(program: Command, deps: LocalCommandsDeps): void {
  const letters = program
    .command('dead-letters')
    .summary('messages that were given up; also while no daemon runs');
  addFilters(letters.command('list'), deps)
    .summary('dead letters, the latest first')
    .action((flags: ListFlags) =>
      onDesks(flags, deps, (desks, around) => listDeadLetters(desks, queryOf(flags), around)),
    );
  addShow(letters, 'dead letter', deps);
  addPlace(letters.command('retry'), deps)
    .summary('put dead letters back, as if they were new')
    .argument('<id...>', 'message ids, or numbers of the list')
    .action((ids: readonly string[], flags: CommonFlags) =>
      onDesks(flags, deps, (desks, around) => retryDeadLetters(desks, ids.map(keyOf), around)),
    );
  addPlace(letters.command('drop'), deps)
    .summary('forget dead letters')
    .argument('<id...>', 'message ids, or numbers of the list')
    .action((ids: readonly string[], flags: CommonFlags) =>
      onDesks(flags, deps, (desks, around) => dropDeadLetters(desks, ids.map(keyOf), around)),
    );
}

function addShow(parent: Command, what: 'message' | 'dead letter', deps: LocalCommandsDeps): void {
  addPlace(parent.command('show'), deps)
    .summary(`what is known of one ${what}`)
    .argument('<id>', 'its message id, or its number of the list')
    .option('--content', 'its metadata and content too', false)
    .action((id: string, { content, ...flags }: ShowFlags) =>
      onDesks(flags, deps, (desks, around) => showMessage(desks, { key: keyOf(id), what, content }, around)),
    );
}

function addDispatch(program: Command, deps: LocalCommandsDeps): void {
  addCommon(program.command('dispatch'), deps)
    .summary('give a message to a worker of this machine, without the broker')
    .description(
      'Puts a message into the inbox as if a server had sent it, prints the first answer, and waits for its end.',
    )
    .argument('<directive>', 'the worker it is for')
    .argument('[file]', 'the content: a file, or - for standard input; none is null')
    .option('--metadata <name=value>', 'an entry of the metadata; may be repeated', collect)
    .option('--no-wait', 'print its id and leave')
    .action(async (directive: string, file: string | undefined, flags: DispatchFlags) => {
      const metadata = deps.readMetadata(flags.metadata ?? []) ?? {};
      const request = { directive, metadata, content: await readContent(file, deps) };
      const { clock } = deps;
      const { timeout, wait } = flags;
      await watching(flags, deps, (control, around) =>
        dispatch(control, request, { ...around, clock, timeout, wait }),
      );
    });
}

function addListen(program: Command, deps: LocalCommandsDeps): void {
  addCommon(program.command('listen'), deps)
    .summary('what happens to workers and messages, live')
    .description('Prints what happens in the daemon of this machine, live, until it is interrupted.')
    .action((flags: CommonFlags) => watching(flags, deps, listen));
}

function addLogLevel(program: Command, deps: LocalCommandsDeps): void {
  addCommon(program.command('log-level'), deps)
    .summary('change what the daemon logs')
    .description('Changes what the daemon logs, until the next reload or restart.')
    .addArgument(levelArgument())
    .action((level: LogLevel, flags: CommonFlags) =>
      onDaemon(flags, deps, (control, around) => setLogLevel(control, level, around)),
    );
}

function addReload(program: Command, deps: LocalCommandsDeps): void {
  addCommon(program.command('reload'), deps)
    .summary('read configuration, facts and tags again, and return to the broker')
    .description(
      'Does what SIGHUP does: reads configuration, facts and tags again, and returns to the broker.',
    )
    .action((flags: CommonFlags) => onDaemon(flags, deps, reload));
}

function addRestart(program: Command, deps: LocalCommandsDeps): void {
  addCommon(program.command('restart'), deps)
    .summary('end the daemon in order, so that systemd starts it anew')
    .description(
      'Ends the daemon in order, so that whoever started it, as systemd does, starts it anew: with what it lives on replaced.',
    )
    .option('--when-idle', 'only when nothing is in hand and no worker is sending', false)
    .addOption(spanOption('--idle-for', 'how long it has to be idle', deps).default(30_000, '30s'))
    .addOption(spanOption('--within', 'after which it ends all the same', deps).default(3_600_000, '1h'))
    .action(({ whenIdle, idleFor, within, ...flags }: RestartFlags) =>
      onDaemon(flags, deps, (control, around) => restart(control, { whenIdle, idleFor, within }, around)),
    );
}

type OnDaemon = (control: Control, around: Surroundings) => Promise<void>;

/** On the running daemon, with calls that are answered once: Ctrl-C simply ends the program. */
function onDaemon(flags: CommonFlags, deps: LocalCommandsDeps, act: OnDaemon): Promise<void> {
  return withDaemon(flags, flags.timeout, deps, (control) => act(control, surroundings(flags, deps)));
}

/** On the running daemon, for as long as somebody wants to watch. */
function watching(flags: CommonFlags, deps: LocalCommandsDeps, act: OnDaemon): Promise<void> {
  return withDaemon(flags, flags.timeout, deps, (control) => act(control, interruptible(flags, deps)));
}

/** On messages and dead letters, whether the daemon runs or not. */
function onDesks(
  flags: CommonFlags,
  deps: LocalCommandsDeps,
  act: (desks: Desks, around: Surroundings) => Promise<void>,
): Promise<void> {
  const around = interruptible(flags, deps);
  const onStopped = (stateDir: string): Promise<void> =>
    around.printer.remark(`no daemon runs; this is what lies in ${stateDir}`);
  return withDesks(flags, flags.timeout, { ...deps, onStopped }, (desks) => act(desks, around));
}

function surroundings({ format }: CommonFlags, { out, err, clock }: LocalCommandsDeps): Surroundings {
  const never = new AbortController().signal;
  return { printer: new Printer({ out, err, format }), now: () => clock.now(), abort: never };
}

/** Ctrl-C ends the action and not the program, so that what was opened is closed. */
function interruptible(flags: CommonFlags, deps: LocalCommandsDeps): Surroundings {
  const abort = new AbortController();
  void deps.interrupted().then(() => abort.abort());
  return { ...surroundings(flags, deps), abort: abort.signal };
}

async function readContent(file: string | undefined, deps: LocalCommandsDeps): Promise<Uint8Array> {
  if (file === undefined) return new Uint8Array();
  if (file === '-') return await deps.readStdin();
  try {
    return deps.readFile(file);
  } catch (error) {
    throw new YggError('YGG_USAGE', `Content file "${file}" cannot be read: ${reasonOf(error)}.`, {
      cause: error,
    });
  }
}
