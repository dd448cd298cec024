/**
 * What SIGHUP and the call Reload do: the configuration, certificates, facts and tags are read again, what can be
 * changed holds from then on, and the broker is returned to.
 *
 * The configuration comes last, so that a mistake in it keeps nobody from the rest.
 */
import { isLeveled, type Logger } from '../base/log.ts';
import type { LiveOptions, OptionField } from '../config/live-options.ts';
import type { Options } from '../config/options.ts';
import { optionName } from '../config/table.ts';
import type { Reloaded } from '../control-api.ts';

export interface ReloadDeps {
  /** Facts and tags. */
  readonly host: { refresh(): Promise<void> };
  /** Says whether those files are in use. */
  readonly certificates: { refresh(files?: Options): boolean };
  /** Connects again after the command `disconnect`. */
  readonly resume: () => void;
  readonly live: LiveOptions;
  /** The options as they would be at a start now; not set: they do not come from a configuration. */
  readonly readOptions: (() => Options) | undefined;
  /** These options hold now: does what has to be done beside reading them anew. */
  readonly onApplied: (fields: ReadonlySet<OptionField>) => void;
  readonly log: Logger;
}

const tlsFields: ReadonlySet<OptionField> = new Set<OptionField>(['certFile', 'keyFile', 'caRoot']);

/** Throws `YGG_CONFIG`, `YGG_CONFIG_FILE`; no option is changed then. */
export async function reload(deps: ReloadDeps): Promise<Reloaded> {
  const { host, certificates, resume, live, readOptions, onApplied, log } = deps;
  await host.refresh();
  certificates.refresh();
  resume();
  if (!readOptions) return { applied: [], needRestart: [] };
  const read = readOptions();
  const tls = live.changes(read).filter((field) => tlsFields.has(field));
  const refused = tls.length > 0 && !certificates.refresh(read) ? tls : [];
  // A log without a level cannot follow.
  const { logLevel } = isLeveled(log) ? read : live.now;
  const replaced = live.replace({ ...read, logLevel }, refused);
  const fields = new Set(replaced.applied);
  if (isLeveled(log) && log.level !== logLevel) {
    // It may also have been changed by hand since.
    log.level = logLevel;
    fields.add('logLevel');
  }
  if (fields.has('factsFile') || fields.has('tagsFile')) await host.refresh();
  onApplied(fields);
  const applied = [...fields].map(optionName);
  const needRestart = replaced.needRestart.map(optionName);
  if (applied.length > 0) log.info({ options: applied }, 'options of the configuration hold now');
  if (needRestart.length > 0) log.warn({ options: needRestart }, 'changed options need a restart');
  return { applied, needRestart };
}
