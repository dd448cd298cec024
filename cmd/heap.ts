/**
 * How much memory V8 may take for its comfort. Imported before everything else, because the start is when most of
 * the heap is made.
 *
 * The start runs without the optimizing compiler: what it makes of code that runs once costs a quarter of the start's
 * processor time and some 10 MiB that would never be given back. Work does not. The old generation may double between
 * two collections, and the young one stays as small as it is, because what a message leaves behind is collected
 * cheaply anyway.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--no-opt');
setFlagsFromString('--semi-space-growth-factor=1');
setFlagsFromString('--heap-growing-percent=100');

/** To be called when the start is over. */
export function setHeapForWork(): void {
  setFlagsFromString('--opt');
}
