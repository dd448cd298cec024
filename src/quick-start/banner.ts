/**
 * What the quick start says when it runs: who it is, what is there, what to try.
 */
import { printable } from '../base/printable.ts';

export interface BannerFacts {
  readonly version: string;
  readonly clientId: string;
  /** Handlers of the workers that have registered. */
  readonly workers: readonly string[];
  /** Everything it keeps is below this. */
  readonly folder: string;
  /** Whether all of that is gone at the end, because others can write in the clone. */
  readonly temporary: boolean;
  readonly workerDir: string;
  /** How yggctl is called from here. */
  readonly yggctl: string;
  readonly colour: boolean;
}

const bold = 1;
const cyan = 36;

export function banner(facts: BannerFacts): string {
  const { version, clientId, workers, folder, temporary, workerDir, yggctl, colour } = facts;
  const paint = (code: number, text: string): string => (colour ? `\u001b[${code}m${text}\u001b[0m` : text);
  const tries = [
    ['send echo hello', 'a message to the echo worker, and its answer'],
    ['ping', 'is the host there, and how fast'],
    ['remote listen', 'everything that passes, live'],
  ] as const;
  const width = Math.max(...tries.map(([words]) => words.length));
  return [
    paint(bold, `yggd ${version} runs, with a broker of its own`),
    '',
    `  client id   ${printable(clientId)}`,
    `  workers     ${workers.length > 0 ? workers.map(printable).join(', ') : 'none has registered yet'}`,
    `  files       ${printable(folder)}${temporary ? ' (until it ends: others can write in this clone)' : ''}`,
    '',
    'Try in a second terminal, in this folder:',
    '',
    ...tries.map(([words, what]) => `  ${paint(cyan, `${yggctl} ${words.padEnd(width)}`)}   ${what}`),
    '',
    `A worker of yours: an executable whose name ends with "worker", in ${printable(workerDir)}`,
    'Ctrl-C ends it.',
    '',
  ].join('\n');
}
