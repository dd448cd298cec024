/**
 * Keeps the heap small. Imported before everything else, because the flags count only while the heap is small.
 */
import { setFlagsFromString } from 'node:v8';

setFlagsFromString('--max-semi-space-size=1');
setFlagsFromString('--optimize-for-size');
