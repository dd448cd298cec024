/** Every planted bug is noticed; a suite that lets one pass would prove nothing about the daemon. */
import { test } from 'vitest';
import { Scope } from '../helpers/scope.ts';
import { crashPoints } from './crash-points.ts';
import { createDice } from './dice.ts';
import { instrumented } from './instrumented.ts';
import { plantedBugs, tryOut } from './planted.ts';

test('what is put into the build finds its place', ({ expect, onTestFinished }) => {
  const scope = new Scope();
  onTestFinished(() => scope.end());
  for (const edits of [crashPoints, ...plantedBugs.map((bug) => bug.edits)]) {
    expect(() => instrumented(scope, edits)).not.toThrow();
  }
});

/** Some show only when a fault strikes at the one wrong moment, which a single try may miss. */
const tries = 4;

// Most of their time they wait, so they do it together.
for (const bug of plantedBugs) {
  test.concurrent(`a daemon that ${bug.name} is noticed`, async ({ expect }) => {
    let noticed = 0;
    for (let turn = 1; turn <= tries && noticed === 0; turn += 1) {
      noticed = await tryOut(bug, createDice(turn));
    }
    expect(noticed, bug.sign).toBeGreaterThan(0);
  });
}
