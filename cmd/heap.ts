/**
 * How much memory V8 may take for its comfort. Imported before everything else, because the start is when most of
 * the heap is made.
 *
 * The start runs without the optimizing compiler: what it makes of code that runs once costs a quarter of the start's
 * processor time and some 10 MiB that would never be given back. Work does not. The old generation may double between
 * two collections. The young one grows with the first burst from 1 to 8 MiB, where messages in flight end before they
 * count as old (half of the collecting is saved), and no further: V8 would go on to 16 MiB, thrice. It is collected by
 * one thread: to wake the others for so little costs more than they take off it.
 */
import { getHeapSpaceStatistics, setFlagsFromString } from 'node:v8';

const initialYoungGeneration = 2 * 1024 * 1024;
/** Milliseconds; a burst in which the young generation grows twice is longer. */
const lookInterval = 200;

setFlagsFromString('--no-parallel-scavenge');
setFlagsFromString('--no-opt');
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--heap-growing-percent=100');

/** To be called when the start is over. */
export function setHeapForWork(): void {
  setFlagsFromString('--opt');
  setFlagsFromString('--semi-space-growth-factor=8');
  const look = setInterval(() => {
    if (youngGeneration() <= initialYoungGeneration) return;
    setFlagsFromString('--semi-space-growth-factor=1');
    clearInterval(look);
  }, lookInterval);
  look.unref();
}

/** Bytes of its two halves. */
function youngGeneration(): number {
  return getHeapSpaceStatistics().find((space) => space.space_name === 'new_space')?.space_size ?? 0;
}
