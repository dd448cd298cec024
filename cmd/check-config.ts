/**
 * `yggd --check-config`: everything about a configuration that can be wrong before anything is started.
 */
import { readdirSync } from 'node:fs';
import path from 'node:path';
import { systemClock } from '../src/base/clock.ts';
import { YggError } from '../src/base/errors.ts';
import { type LogFields, silentLogger } from '../src/base/log.ts';
import type { Loaded } from '../src/config/load.ts';
import type { Options } from '../src/config/options.ts';
import { loadWorkerConfig } from '../src/config/worker-config.ts';
import { loadTls } from '../src/host/certificate.ts';
import { readTags } from '../src/host/tags.ts';

/** What it says when all is well, warnings first. Throws the `YggError` of whatever is not. */
export function checkConfiguration({ options, warnings, files }: Loaded): string {
  const further: string[] = [];
  const warn = (fields: LogFields, sentence: string): void => {
    const where = fields['error'] ?? fields['place'] ?? fields['file'] ?? '';
    further.push(where === '' ? sentence : `${where}: ${sentence}`);
  };
  const log = { ...silentLogger, warn };
  loadTls(options, { log, clock: systemClock });
  readTags({ tagsFile: options.tagsFile, log });
  checkWorkerConfigs(options, (sentence) => further.push(sentence));
  const read = files.length > 0 ? files.join(', ') : 'no file, only flags and defaults';
  const lines = [...warnings, ...further].map((sentence) => `warning: ${sentence}`);
  return [...lines, `ok: ${read}`, ''].join('\n');
}

function checkWorkerConfigs({ configDir }: Options, warn: (sentence: string) => void): void {
  const mistakes: string[] = [];
  for (const name of namesIn(path.join(configDir, 'workers'))) {
    try {
      loadWorkerConfig(configDir, name, warn);
    } catch (error) {
      if (!(error instanceof YggError)) throw error;
      mistakes.push(error.message);
    }
  }
  if (mistakes.length > 0) throw new YggError('YGG_CONFIG', mistakes.join('\n'));
}

/** Names of workers that have a configuration. */
function namesIn(directory: string): string[] {
  try {
    return readdirSync(directory)
      .filter((name) => name.endsWith('.toml'))
      .map((name) => name.slice(0, -'.toml'.length))
      .sort();
  } catch {
    return [];
  }
}
