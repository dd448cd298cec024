/** The trials of `npm run faults` with small counts: nothing is lost here either. */
import { test } from 'vitest';
import { Scope } from '../helpers/scope.ts';
import { createDice } from './dice.ts';
import { holds } from './report.ts';
import { trials } from './trials.ts';

const seed = 1;
const share = 0.04;
/** Of these everything is counted but time, which says nothing beside other tests. */
const chosen = [
  'inbound-until-done',
  'inbound-until-accepted',
  'outbound-http',
  'power-cuts',
  'attached-lasting',
  'attached-workers',
  'broker',
  'workers',
  'rules',
];

// Most of their time they wait, so they do it together.
for (const trial of trials.filter(({ name }) => chosen.includes(name))) {
  test.concurrent(trial.name, async ({ expect, onTestFinished }) => {
    const scope = new Scope();
    onTestFinished(() => scope.end());
    const figures = await trial.run({ scope, dice: createDice(seed).fork(trial.name), share });
    expect(figures.filter((figure) => figure.unit !== 'ms' && !holds(figure))).toEqual([]);
  });
}
