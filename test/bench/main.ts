/**
 * Measures the built daemon beside the yardstick, in the same run, and holds the figures against what they must be.
 *
 * Speeds are medians; every line names what it is, what was measured, and the bound.
 */
import { cpus, loadavg, release } from 'node:os';
import { parseArgs } from 'node:util';
import { costBenches } from './costs.ts';
import { type Bench, type Figure, holds, table } from './figures.ts';
import { latencyBenches } from './latencies.ts';
import { speedBenches } from './speed.ts';

const benches: readonly Bench[] = [...speedBenches, ...latencyBenches, ...costBenches];

export async function main(words: readonly string[]): Promise<number> {
  const { values } = parseArgs({
    args: [...words],
    options: {
      json: { type: 'boolean', default: false },
      only: { type: 'string', multiple: true, default: [] },
      messages: { type: 'string', default: '20000' },
      runs: { type: 'string', default: '3' },
      help: { type: 'boolean', default: false },
    },
  });
  const unknown = values.only.filter((name) => !benches.some((bench) => bench.name === name));
  if (values.help || unknown.length > 0) {
    if (!values.help) console.error(`There is no benchmark ${unknown.join(' or ')}.`);
    console.error(['--only takes, once or several times:', ...benches.map(line)].join('\n'));
    return values.help ? 0 : 2;
  }
  const chosen = benches.filter(({ name }) => values.only.length === 0 || values.only.includes(name));
  const command = ['npm run bench --', ...words].join(' ');
  const load = loadavg()[0] ?? 0;
  const figures: Figure[] = [];
  for (const bench of chosen) {
    const say = (progress: string): void => console.error(`${bench.name}: ${progress}`);
    const settings = { messages: Number(values.messages), runs: Number(values.runs), say };
    figures.push(...(await bench.measure(settings)));
  }
  const machine = `${cpus().length} x ${cpus()[0]?.model.trim()}, Linux ${release()}, Node ${process.version}`;
  const date = new Date().toISOString().slice(0, 10);
  if (values.json) console.log(JSON.stringify({ command, date, machine, load, figures }, null, 2));
  else
    console.log(
      [`\`${command}\`, ${date}, ${machine}, load ${load} before`, '', ...table(figures)].join('\n'),
    );
  return figures.every(holds) ? 0 : 1;
}

function line({ name, about }: Bench): string {
  return `  ${name.padEnd(18)}${about}`;
}
