/**
 * `ygg unregister`: the way back, the service first, so that it can still say goodbye. One step's failure stops no other.
 */
import { reasonOf, YggError } from '../base/errors.ts';
import { askingRhsm, rhsmAdvice, systemdAdvice } from './advice.ts';
import type { Rhsm } from './rhsm.ts';
import type { ServiceUnit } from './service-unit.ts';
import { already, done, type Ended, type Step, type Steps } from './steps.ts';

export interface UnregisterDeps {
  readonly rhsm: Rhsm;
  readonly unit: ServiceUnit;
  readonly steps: Steps;
}

/** Throws the failures as one, with the code of the first. */
export async function unregister({ rhsm, unit, steps }: UnregisterDeps): Promise<void> {
  const failures: unknown[] = [];
  const run = async (step: Step, act: () => Promise<Ended>): Promise<void> => {
    await steps.run(step, act).catch((error: unknown) => {
      if (steps.interrupted) throw error;
      failures.push(error);
    });
  };
  const advice = systemdAdvice(unit.name);
  await run({ name: 'stop', subject: unit.name, doing: `stopping ${unit.name}`, advice }, async () => {
    const { active } = await unit.state();
    if (active === 'inactive' || active === 'failed') return already('already stopped');
    await unit.stop();
    return done('stopped');
  });
  await run({ name: 'disable', subject: unit.name, doing: `disabling ${unit.name}`, advice }, async () =>
    (await unit.disable()) ? done('disabled') : already('already disabled'),
  );
  const refused = 'It may be gone from the server already: `subscription-manager clean` forgets it here.';
  const step = {
    ...askingRhsm,
    ...{ name: 'unregister', doing: 'unregistering with RHSM', harmless: false },
  };
  await run({ ...step, advice: { ...rhsmAdvice, YGG_SERVICE_REFUSED: refused } }, async () => {
    const consumer = await rhsm.consumer();
    if (consumer === '') return already('already unregistered');
    await rhsm.unregister();
    return done(`unregistered, was ${consumer}`, { consumer });
  });
  const [first] = failures;
  if (first === undefined) return;
  throw new YggError(
    first instanceof YggError ? first.code : 'YGG_INTERNAL',
    failures.map(reasonOf).join('\n'),
    {
      cause: first,
    },
  );
}
