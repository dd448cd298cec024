#!/usr/bin/env node
/** Command: runs one of the commands that its TOML lists. README.md says how it is set up. */
import { handlerName, readSettings } from '../settings.ts';
import { createCommandWorker } from './command.ts';

const handler = handlerName('command');
await createCommandWorker(handler, readSettings(handler, process.env['YGG_CONFIG_DIR'])).run();
