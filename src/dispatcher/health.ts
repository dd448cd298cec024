/**
 * What an attached worker's own checks say, cut to what the status carries.
 */
import type { WorkerHealth } from '../datastore.ts';

const mostChecks = 64;
/** Characters of a name, and of what a check says. */
const longestText = 4 * 1024;

export function shortened(results: readonly WorkerHealth[]): readonly WorkerHealth[] {
  return results.slice(0, mostChecks).map(({ name, healthy, status }) => ({
    name: name.slice(0, longestText),
    healthy,
    status: status.slice(0, longestText),
  }));
}
