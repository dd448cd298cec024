#!/usr/bin/env node
/** Webhook: posts messages to the URLs that its TOML lists. README.md says how it is set up. */
import { readSettings, runWorker } from '../settings.ts';
import { createWebhookWorker } from './webhook.ts';

await runWorker('webhook', (handler) => createWebhookWorker(handler, readSettings(handler)));
