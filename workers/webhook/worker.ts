#!/usr/bin/env node
/** Webhook: posts messages to the URLs that its TOML lists. README.md says how it is set up. */
import { handlerName, readSettings } from '../settings.ts';
import { createWebhookWorker } from './webhook.ts';

const handler = handlerName('webhook');
await createWebhookWorker(handler, readSettings(handler, process.env['YGG_CONFIG_DIR'])).run();
