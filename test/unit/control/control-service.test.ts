/** The part as the lifecycle has it: what it opens, what it knows, how it ends. */
import { lstatSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { describe, expect, onTestFinished, test } from 'vitest';
import { type LeveledLogger, silentLogger } from '../../../src/base/log.ts';
import { createControlService } from '../../../src/control/control-service.ts';
import type { Part } from '../../../src/lifecycle.ts';
import { type ControlClient, connectControl } from '../../../src/rpc/control-client.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { request } from '../journal/journal-on-memory.ts';
import { byId, collect, createRig, never, type Rig } from './rig.ts';

interface Service extends Rig {
  readonly part: Part;
  readonly client: ControlClient;
  readonly runtimeDirectory: string;
  readonly errors: string[];
  readonly restarts: string[];
  readonly log: LeveledLogger;
}

function createService(): Service {
  const rig = createRig();
  const runtimeDirectory = mkdtempSync(path.join(tmpdir(), 'control-'));
  const errors: string[] = [];
  const restarts: string[] = [];
  const log: LeveledLogger = {
    ...silentLogger,
    level: 'info',
    error: (_fields, sentence) => errors.push(sentence),
  };
  const part = createControlService({
    ...rig,
    runtimeDirectory,
    log,
    newId: () => 'local-1',
    identity: { version: '1', clientId: 'host', pid: 17 },
    link: () => undefined,
    alarms: { all: [{ at: 1, sentence: 'Look.' }] },
    reload: async () => ({ applied: [], needRestart: [] }),
    onRestart: () => void restarts.push('restart'),
    maxMessageSize: 1_000,
  });
  const client = connectControl({ path: path.join(runtimeDirectory, 'control.sock'), deadline: 5_000 });
  onTestFinished(async () => {
    client.close();
    await part.stop(never);
    rmSync(runtimeDirectory, { recursive: true });
  });
  return { ...rig, part, client, runtimeDirectory, errors, restarts, log };
}

async function started(): Promise<Service> {
  const service = createService();
  await service.part.init(never);
  await service.part.run?.();
  return service;
}

describe('while it runs', () => {
  test('it answers, and says since when the disk has trouble', async () => {
    const { client, clock, store, journal } = await started();
    expect(await client.status()).toMatchObject({
      clientId: 'host',
      disk: { trouble: '', since: 0 },
      alarms: [{ sentence: 'Look.' }],
      logLevel: 'info',
    });
    clock.wind(5_000);
    store.fault = 'full';
    journal.inbox.receive(request());
    await waitFor(() => journal.trouble === 'full', { what: 'trouble' });
    const since = clock.now();
    clock.wind(1_000);
    expect((await client.status()).disk).toEqual({ trouble: 'full', since });
    store.fault = undefined;
    clock.wind(10_000);
    await waitFor(() => journal.trouble === undefined, { what: 'its end' });
    expect((await client.status()).disk).toEqual({ trouble: '', since: 0 });
  });

  test('what is tried again goes where it waits', async () => {
    const { client, journal, of, settle } = await started();
    journal.inbox.refuse(request({ messageId: 'request' }), 'no-worker', 'None came.');
    const response = journal.outbox.respond({
      ...request({ messageId: 'response', directive: 'echo' }),
      handler: 'echo',
    });
    journal.outbox.bury(response.sequence, 'publish-refused', 'No.');
    await settle();
    const requested = await client.retryDeadLetter(byId('request'));
    const returned = await client.retryDeadLetter(byId('response'));
    expect(of('inbox-add')).toEqual([{ sequence: requested.sequence, directive: 'echo' }]);
    expect(of('data-return')).toEqual([{ sequence: returned.sequence }]);
  });

  test('a restart that is wanted shows, and ends the daemon when it is idle', async () => {
    const { client, clock, restarts } = await started();
    expect((await client.status()).restartAt).toBe(0);
    const { latestAt } = await client.restart({ whenIdle: true, idleFor: 2_000, within: 60_000 });
    expect(latestAt).toBe(clock.now() + 60_000);
    expect((await client.status()).restartAt).toBe(latestAt);
    clock.wind(2_000);
    expect(restarts).toEqual(['restart']);
  });

  test('the log level is changed where there is one', async () => {
    const { client, log } = await started();
    await client.setLogLevel('trace');
    expect(log.level).toBe('trace');
  });
});

describe('its end', () => {
  test('begins with taking no messages, and leaves no file', async () => {
    const { part, client, runtimeDirectory } = await started();
    await part.drain?.('quiet', never);
    const given = { directive: 'echo', metadata: {}, content: Buffer.from('1') };
    await expect(collect(client.dispatch(given, never))).rejects.toMatchObject({ code: 'YGG_CLOSED' });
    expect((await client.status()).clientId).toBe('host');
    await part.stop(never);
    expect(readdirSync(runtimeDirectory)).toEqual([]);
  });

  test('forgets a restart that was wanted', async () => {
    const { part, client, clock, restarts } = await started();
    await client.restart({ whenIdle: true, idleFor: 2_000, within: 60_000 });
    await part.drain?.('quiet', never);
    clock.wind(120_000);
    expect(restarts).toEqual([]);
    const again = client.restart({ whenIdle: false, idleFor: 0, within: 0 });
    await expect(again).rejects.toMatchObject({ code: 'YGG_CLOSED' });
  });

  test('may come before it has begun', async () => {
    const { part, runtimeDirectory } = createService();
    const running = part.run?.();
    await part.stop(never);
    await running;
    expect(readdirSync(runtimeDirectory)).toEqual([]);
  });
});

test('a daemon whose control socket cannot be opened goes on, and says so', async () => {
  const { part, errors, runtimeDirectory } = createService();
  const inTheWay = path.join(runtimeDirectory, 'control.sock');
  writeFileSync(inTheWay, '');
  await part.run?.();
  expect(errors).toEqual(['the control socket could not be opened; yggctl cannot reach this daemon']);
  await part.stop(never);
  expect(lstatSync(inTheWay).isFile()).toBe(true);
});
