#!/usr/bin/env node
/** Command: runs one of the commands that its TOML lists. README.md says how it is set up. */
import { readSettings, runWorker } from '../settings.ts';
import { createCommandWorker } from './command.ts';

await runWorker('command', (handler) => createCommandWorker(handler, readSettings(handler)));
