/**
 * How much memory V8 may take for its comfort. Imported before everything else, because the start is when most of
 * the heap is made.
 *
 * The start runs with a heap made for size: it saves some 10 MiB that would never be given back. Work does not: for
 * every message it would spend half as much again on collecting garbage. From then on the old generation may grow by
 * half between two collections, and the young one stays as small as it is, because what a message leaves behind
 * is collected cheaply anyway.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--optimize-for-size');
setFlagsFromString('--semi-space-growth-factor=1');

/** To be called when the start is over. */
export function setHeapForWork(): void {
  setFlagsFromString('--no-optimize-for-size');
  setFlagsFromString('--heap-growing-percent=50');
}
