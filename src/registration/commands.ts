/**
 * The commands of ygg.
 */
import type { Command } from 'commander';
import type { Clock } from '../base/clock.ts';
import { inColumns } from '../base/columns.ts';
import { reasonOf, YggError } from '../base/errors.ts';
import { type Format, Printer } from '../base/printer.ts';
import type { BrokerStatus } from '../control-api.ts';
import type { CanonicalFacts } from '../messages.ts';
import { rhsmAdvice } from './advice.ts';
import type { Bus, Peer } from './bus.ts';
import { type CredentialFlags, checkFlags } from './credentials.ts';
import {
  addCommon,
  addFormat,
  type CommonFlags,
  collect,
  type DaemonFlags,
  type FlagReaders,
} from './flags.ts';
import type { Prompts } from './prompts.ts';
import { register } from './register.ts';
import { Rhsm } from './rhsm.ts';
import { ServiceUnit } from './service-unit.ts';
import { readStatus, statusFields, statusText } from './status-report.ts';
import { type LiveScreen, Steps } from './steps.ts';
import { unregister } from './unregister.ts';

export interface RegistrationCommandsDeps extends FlagReaders {
  /** The system bus. Throws `YGG_BUS_UNREACHABLE`. */
  openBus(timeout: number): Promise<Bus>;
  /** A peer without a bus driver. Throws `YGG_BUS_UNREACHABLE`. */
  connectPeer(address: string, timeout: number): Promise<Peer>;
  /** What the daemon of this machine says of its broker. */
  brokerStatus(place: DaemonFlags, timeout: number): Promise<BrokerStatus>;
  /** What the daemon with this configuration publishes of the host. */
  canonicalFacts(config: string | undefined): Promise<CanonicalFacts>;
  readonly prompts: Prompts | undefined;
  readStdin(): Promise<Uint8Array>;
  /** Fires at Ctrl-C and its like; from this call on they end nothing by themselves. */
  interruption(): AbortSignal;
  /** Language of the person, empty for none in particular. */
  readonly locale: string;
  readonly clock: Clock;
  readonly out: LiveScreen;
  readonly err: LiveScreen;
  /** Sets the exit status of a command that said what was asked for, and it is not well. */
  setStatus(status: number): void;
}

const unitName = 'yggd.service';
/** How much longer than an answer a start may take: systemd gives yggd.service five minutes. */
const jobFactor = 3;
/** Exit status of `ygg status` when not everything is as it should be. */
const notWell = 3;

export function addRegistrationCommands(program: Command, deps: RegistrationCommandsDeps): void {
  addRegister(program, deps);
  addUnregister(program, deps);
  addStatus(program, deps);
  addFacts(program, deps);
}

function addRegister(program: Command, deps: RegistrationCommandsDeps): void {
  addCommon(program.command('register').alias('connect'), deps, '2m')
    .summary('register this host with RHSM, enable and start yggd')
    .description(
      'Registers this host with RHSM, then enables and starts yggd. What is done already is said and left.',
    )
    .option('-u, --username <name>', 'register as this user; asked for when missing')
    .option('-p, --password <password>', 'of the user, for everybody to see; better asked for, or:')
    .option('--password-stdin', 'the password is the first line of standard input')
    .option('-o, --organization <key>', 'the organization to register with')
    .option('-a, --activation-key <name>', 'register with a key instead of a user; may be repeated', collect)
    .option('--server <url>', 'the server RHSM uses from now on: https://HOST[:PORT][/PREFIX]')
    .option(
      '--rhsm-config <file>',
      'of what a copy is kept before --server changes it',
      '/etc/rhsm/rhsm.conf',
    )
    .action(
      async (
        flags: CommonFlags & CredentialFlags & { readonly server?: string; readonly rhsmConfig: string },
      ) => {
        checkFlags(flags);
        const { err, prompts } = deps;
        const printer = printerOf(flags, deps);
        await withBus(flags, deps, (parts) =>
          register(flags, {
            ...parts,
            prompts,
            readStdin: deps.readStdin,
            warn: (sentence) => printer.warn(sentence),
            show: (lines) => err.write(`${lines.join('\n')}\n`),
          }),
        );
      },
    );
}

function addUnregister(program: Command, deps: RegistrationCommandsDeps): void {
  addCommon(program.command('unregister').alias('disconnect'), deps, '2m')
    .summary('stop and disable yggd, unregister this host')
    .description(
      'Stops and disables yggd, then unregisters this host. What is done already is said and left.',
    )
    .action((flags: CommonFlags) => withBus(flags, deps, unregister));
}

function addStatus(program: Command, deps: RegistrationCommandsDeps): void {
  addCommon(program.command('status'), deps, '10s')
    .summary('whether this host is registered, yggd runs, and the broker is there')
    .description(
      `Says whether this host is registered, yggd runs, and the broker is there; the status is ${notWell} unless all hold.`,
    )
    .option('--runtime-dir <dir>', 'runtime directory of the daemon')
    .option('--config <file>', 'configuration file of the daemon')
    .action(async (flags: CommonFlags & DaemonFlags) => {
      const bus = deps.openBus(flags.timeout);
      try {
        const report = await readStatus(
          {
            rhsm: async () => rhsmOf(await bus, flags, deps),
            unit: async () => unitOf(await bus, flags),
            broker: () => deps.brokerStatus(flags, flags.timeout),
          },
          unitName,
        );
        const printer = printerOf(flags, deps);
        if (flags.format === 'json') await printer.result('', statusFields(report));
        else await printer.line(statusText(report, deps.out));
        if (!report.ok) deps.setStatus(notWell);
      } finally {
        await bus.then(
          (opened) => opened.close(),
          () => {},
        );
      }
    });
}

function addFacts(program: Command, deps: RegistrationCommandsDeps): void {
  addCommon(program.command('facts'), deps, '2m')
    .summary('what RHSM knows about this host')
    .action((flags: CommonFlags) =>
      withBus(flags, deps, async ({ rhsm, steps }) => {
        const step = {
          name: 'facts',
          subject: 'RHSM',
          doing: 'reading the facts of RHSM',
          advice: rhsmAdvice,
          harmless: true,
        };
        await printFacts(await steps.during(step, () => rhsm.facts()), flags, deps);
      }),
    );
  addFormat(program.command('canonical-facts'))
    .summary('what yggd publishes to be known by')
    .option('--config <file>', 'configuration file of the daemon')
    .action(async (flags: { readonly format: Format; readonly config?: string }) =>
      printFacts({ ...(await deps.canonicalFacts(flags.config)) }, flags, deps),
    );
}

interface Parts {
  readonly rhsm: Rhsm;
  readonly unit: ServiceUnit;
  readonly steps: Steps;
}

async function withBus(
  flags: CommonFlags,
  deps: RegistrationCommandsDeps,
  use: (parts: Parts) => Promise<void>,
): Promise<void> {
  const { out, err, clock } = deps;
  const { timeout } = flags;
  const bus = await deps.openBus(timeout).catch((error: unknown) => {
    const todo = 'Start it with `systemctl start dbus`, or name its address in DBUS_SYSTEM_BUS_ADDRESS.';
    throw new YggError('YGG_BUS_UNREACHABLE', `${reasonOf(error)} ${todo}`, { cause: error });
  });
  const interrupted = deps.interruption();
  const steps = new Steps({ printer: printerOf(flags, deps), out, err, clock, interrupted });
  try {
    await use({ rhsm: rhsmOf(bus, flags, deps), unit: unitOf(bus, flags), steps });
  } catch (error) {
    throw interrupted.aborted ? steps.interruption() : error;
  } finally {
    bus.close();
  }
}

function rhsmOf(bus: Bus, { timeout }: CommonFlags, deps: RegistrationCommandsDeps): Rhsm {
  const { locale } = deps;
  return new Rhsm({ bus, locale, timeout, connectPeer: (address) => deps.connectPeer(address, timeout) });
}

function unitOf(bus: Bus, { timeout }: CommonFlags): ServiceUnit {
  return new ServiceUnit({ bus, name: unitName, timeout, jobTimeout: jobFactor * timeout });
}

async function printFacts(
  facts: Readonly<Record<string, unknown>>,
  { format }: { readonly format: Format },
  deps: RegistrationCommandsDeps,
): Promise<void> {
  const rows = Object.entries(facts).map(([name, value]) => [
    name,
    Array.isArray(value) ? value.join(', ') : String(value),
  ]);
  await printerOf({ format }, deps).result(inColumns(rows), facts);
}

function printerOf({ format }: { readonly format: Format }, { out, err }: RegistrationCommandsDeps): Printer {
  return new Printer({ out, err, format });
}
