#!/usr/bin/env node
/** Facts: tells what this host is and how it is doing. README.md says what it answers. */
import { runWorker } from '../settings.ts';
import { createFactsWorker } from './facts.ts';

await runWorker('facts', (handler) => createFactsWorker(handler));
