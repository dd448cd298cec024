/** Runs the trials and prints a line for each figure, with what it takes to get it again. */
import { cpus, release } from 'node:os';
import { parseArgs } from 'node:util';
import { Scope } from '../helpers/scope.ts';
import { createDice } from './dice.ts';
import { holds, lineOf } from './report.ts';
import { trials } from './trials.ts';

/** Throws on flags that are not known. */
export async function main(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      long: { type: 'boolean', default: false },
      seed: { type: 'string', default: '1' },
      only: { type: 'string', multiple: true, default: [] },
    },
  });
  const { long, only } = values;
  const seed = Number(values.seed);
  const unknown = only.filter((name) => !trials.some((trial) => trial.name === name));
  if (unknown.length > 0 || !Number.isInteger(seed)) {
    console.error(`usage: npm run faults [-- --long] [--seed N] [--only NAME]...`);
    console.error(`names: ${trials.map(({ name }) => name).join(', ')}`);
    return 2;
  }
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, Linux ${release()}, Node ${process.version}`;
  const date = new Date().toISOString().slice(0, 10);
  let all = true;
  for (const trial of trials) {
    if (only.length > 0 && !only.includes(trial.name)) continue;
    const command = `npm run faults -- ${long ? '--long ' : ''}--only ${trial.name} --seed ${seed}`;
    const scope = new Scope();
    try {
      const dice = createDice(seed).fork(trial.name);
      const figures = await trial.run({ scope, dice, share: long ? 1 : 0.1 });
      for (const figure of figures) console.log(lineOf(figure, [command, date, machine].join(' | ')));
      all &&= figures.every(holds);
    } catch (error) {
      all = false;
      console.log(`${trial.name} was not carried out to its end: ${command}`);
      console.error(error);
    } finally {
      await scope.end();
    }
  }
  return all ? 0 : 1;
}
