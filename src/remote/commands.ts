/**
 * The commands of yggctl that speak to a host through its broker, as a server would.
 *
 * `send` and `ping` stand at the top for being short; `remote` holds all of them. Every other name at the top is
 * left to the daemon of this machine.
 */
import { type Command, InvalidArgumentError, Option } from 'commander';
import { disconnect, type ListenDeps, listen, ping, reconnect, send } from './actions.ts';
import { type ContentSources, readContent, readMetadata, requireJson } from './input.ts';
import { type ReachDeps, reach, type TargetFlags } from './reach.ts';

export interface RemoteCommandsDeps extends ReachDeps, ContentSources, ListenDeps {
  /** Milliseconds of `10s`, or `undefined`. */
  parseDuration(text: string): number | undefined;
}

interface SendFlags extends TargetFlags {
  readonly metadata?: readonly string[];
  readonly raw: boolean;
}

interface ReconnectFlags extends TargetFlags {
  /** Seconds. */
  readonly delay: number;
}

/** Seconds a host stays away at most, whatever a `reconnect` says. */
const longestDelay = 3600;

export function addRemoteCommands(program: Command, deps: RemoteCommandsDeps): void {
  addSend(program, 'send a message to a worker and print its answer (short for "remote send")', deps);
  addPing(program, 'ask whether a host is there (short for "remote ping")', deps);
  const remote = program
    .command('remote')
    .summary('speak to a host through its broker, as a server would')
    .description('Speaks to a host through its broker, as a server would, under a client id of its own.');
  addSend(remote, 'send a message to a worker and print its answer', deps);
  addPing(remote, 'ask whether a host is there', deps);
  addListen(remote, deps);
  addReconnect(remote, deps);
  addDisconnect(remote, deps);
}

function addSend(parent: Command, summary: string, deps: RemoteCommandsDeps): void {
  addTargetOptions(parent.command('send'), deps)
    .summary(summary)
    .description(
      'Sends a data message and prints the first answer. Content that is not JSON is sent as a JSON string.',
    )
    .argument('<directive>', 'the worker it is for')
    .argument('[content]', 'the content: TEXT, - for standard input, @FILE for a file; none is null')
    .option('--metadata <name=value>', 'an entry of the metadata; may be repeated', collect)
    .option('--raw', 'refuse content that is not JSON', false)
    .action(async (directive: string, argument: string | undefined, flags: SendFlags) => {
      const content = await readContent(argument, deps);
      if (flags.raw) requireJson(content);
      const metadata = readMetadata(flags.metadata ?? []);
      await reach(flags, deps, (reached) => send(reached, { directive, metadata, content }));
    });
}

function addPing(parent: Command, summary: string, deps: RemoteCommandsDeps): void {
  addTargetOptions(parent.command('ping'), deps)
    .summary(summary)
    .description('Sends the command "ping" and prints how long the pong took.')
    .action((flags: TargetFlags) => reach(flags, deps, ping));
}

function addListen(parent: Command, deps: RemoteCommandsDeps): void {
  addTargetOptions(parent.command('listen'), deps)
    .summary('print everything that passes on the four topics of a host')
    .description('Prints what passes on the four topics of a host, live, until it is interrupted.')
    .action((flags: TargetFlags) => reach(flags, deps, (reached) => listen(reached, deps)));
}

function addReconnect(parent: Command, deps: RemoteCommandsDeps): void {
  addTargetOptions(parent.command('reconnect'), deps)
    .summary('make a host leave its broker and come back')
    .description('Sends the command "reconnect" and waits until the host is online again.')
    .addOption(
      new Option('--delay <duration>', 'how long it stays away, in whole seconds')
        .argParser((text) => delayOf(text, deps))
        .default(0, '0s'),
    )
    .action((flags: ReconnectFlags) => reach(flags, deps, (reached) => reconnect(reached, flags.delay)));
}

function addDisconnect(parent: Command, deps: RemoteCommandsDeps): void {
  addTargetOptions(parent.command('disconnect'), deps)
    .summary('make a host leave its broker')
    .description(
      'Sends the command "disconnect". The host stays away until its daemon gets SIGHUP or is restarted, or for its disconnect-hold.',
    )
    .action((flags: TargetFlags) => reach(flags, deps, disconnect));
}

function addTargetOptions(command: Command, { parseDuration }: RemoteCommandsDeps): Command {
  return command
    .optionsGroup('Which host, by which broker:')
    .option('--to <host>', "the host's client id (default: the daemon of this machine)")
    .option('--broker <url>', "the broker (default: the daemon's)")
    .option('--topic-prefix <prefix>', "first part of the topics (default: the daemon's, else yggdrasil)")
    .option('--cert-file <file>', "client certificate, PEM (default: the daemon's)")
    .option('--key-file <file>', 'its key, PEM')
    .option('--ca-root <file>', 'certificate authority of the broker, PEM; may be repeated', collect)
    .option('--runtime-dir <dir>', 'runtime directory of the daemon of this machine')
    .option('--config <file>', 'configuration file of the daemon of this machine')
    .optionsGroup('Waiting and printing:')
    .addOption(
      new Option('--timeout <duration>', 'how long to wait for the broker, and for an answer')
        .argParser((text) => parseDuration(text) ?? refuseDuration(text))
        .default(10_000, '10s'),
    )
    .addOption(
      new Option('--format <format>', 'for people or for programs').choices(['text', 'json']).default('text'),
    )
    .optionsGroup('Options:');
}

function collect(value: string, previous: readonly string[] | undefined): readonly string[] {
  return [...(previous ?? []), value];
}

function refuseDuration(text: string): never {
  throw new InvalidArgumentError(`"${text}" is not a duration such as "500ms", "10s" or "5m".`);
}

function delayOf(text: string, { parseDuration }: RemoteCommandsDeps): number {
  const seconds = (parseDuration(text) ?? refuseDuration(text)) / 1000;
  if (Number.isInteger(seconds) && seconds <= longestDelay) return seconds;
  throw new InvalidArgumentError(`"${text}" is not a whole number of seconds up to one hour.`);
}
