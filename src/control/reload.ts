/**
 * What SIGHUP and the call Reload do: the configuration, facts and tags are read again, and the broker is returned to.
 *
 * The configuration comes last, so that a mistake in it keeps nobody from the rest.
 */
import { isLeveled, type Logger } from '../base/log.ts';
import type { Options } from '../config/options.ts';
import { optionFields, optionName } from '../config/table.ts';
import type { Reloaded } from '../control-api.ts';

export interface ReloadDeps {
  /** Facts and tags. */
  readonly host: { refresh(): Promise<void> };
  /** Connects again after the command `disconnect`. */
  readonly resume: () => void;
  /** The options the daemon was started with. */
  readonly options: Options;
  /** The options as they would be at a start now; not set: they do not come from a configuration. */
  readonly readOptions: (() => Options) | undefined;
  readonly log: Logger;
}

/** Throws `YGG_CONFIG`, `YGG_CONFIG_FILE`. */
export async function reload({ host, resume, options, readOptions, log }: ReloadDeps): Promise<Reloaded> {
  await host.refresh();
  resume();
  if (!readOptions) return { applied: [], needRestart: [] };
  const read = readOptions();
  const applied: string[] = [];
  if (isLeveled(log) && log.level !== read.logLevel) {
    log.level = read.logLevel;
    applied.push(optionName('logLevel'));
  }
  const needRestart = optionFields
    .filter((field) => field !== 'logLevel' && JSON.stringify(read[field]) !== JSON.stringify(options[field]))
    .map(optionName);
  if (applied.length > 0) log.info({ options: applied }, 'options of the configuration hold now');
  if (needRestart.length > 0) log.warn({ options: needRestart }, 'changed options need a restart');
  return { applied, needRestart };
}
