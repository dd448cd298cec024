/** What every trial of the suite is: a name, a seed, and figures in the end. */
import type { Scope } from '../helpers/scope.ts';
import type { Dice } from './dice.ts';
import type { Figure } from './report.ts';

export interface TrialSettings {
  readonly scope: Scope;
  readonly dice: Dice;
  /** Of the counts that the promise is shown with: 1 for all of them. */
  readonly share: number;
}

export interface Trial {
  /** As `--only` takes it. */
  readonly name: string;
  run(settings: TrialSettings): Promise<readonly Figure[]>;
}
