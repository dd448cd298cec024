import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { optionsWith } from '../../src/config/load.ts';
import { createDaemon, type Daemon } from '../../src/daemon.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';

/** Daemons on the same directories: the next can only be had when the one before has let go of everything. */
function house(): () => Daemon {
  const folder = tempDir(testScope());
  const options = {
    protocol: 'none',
    clientId: 'host',
    workerDir: [path.join(folder, 'workers')],
    configDir: path.join(folder, 'config'),
    runtimeDir: path.join(folder, 'run'),
    stateDir: path.join(folder, 'state'),
  } as const;
  return () => createDaemon({ options });
}

describe('a daemon that is stopped', () => {
  test('before it runs lets go of what it prepared', async () => {
    const next = house();
    const prepared = await next().prepare();
    await prepared.stop();
    await (await next().prepare()).stop();
  });

  test('while it prepares lets go of it all the same', async () => {
    const next = house();
    const daemon = next();
    const preparing = daemon.prepare();
    preparing.catch(() => {});
    await daemon.stop();
    await expect(preparing).rejects.toMatchObject({ code: 'YGG_CLOSED' });
    await (await next().prepare()).stop();
  });

  test('while it starts lets go of what had not started yet', async () => {
    const next = house();
    const prepared = await next().prepare();
    const running = prepared.run();
    running.catch(() => {});
    await prepared.stop();
    await expect(running).rejects.toMatchObject({ code: 'YGG_CLOSED' });
    await (await next().prepare()).stop();
  });

  test('when it runs lets go of everything', async () => {
    const next = house();
    const prepared = await next().prepare();
    await prepared.run();
    await prepared.stop();
    await (await next().prepare()).stop();
  });
});

test('limits of the journal follow a reload', async () => {
  const folder = tempDir(testScope());
  const places = {
    configDir: folder,
    runtimeDir: path.join(folder, 'run'),
    stateDir: path.join(folder, 'state'),
  };
  const options = { ...places, protocol: 'none', clientId: 'host' } as const;
  const environment = {
    uid: 0,
    currentDirectory: folder,
    homeDirectory: folder,
    temporaryDirectory: folder,
    variables: {},
  };
  const mebibyte = 1024 * 1024;
  const readOptions = () =>
    optionsWith(
      {
        ...options,
        reportFailures: false,
        inboxLimit: { messages: 6, bytes: mebibyte },
        outboxLimit: { messages: 4, bytes: mebibyte },
      },
      environment,
    );
  const prepared = await createDaemon({ options, environment, readOptions }).prepare();
  const { inbox, outbox } = prepared.journal;
  expect(inbox.fill().limit.messages).toBe(250_000);
  expect(await prepared.reload()).toEqual({
    applied: ['report-failures', 'inbox-limit', 'outbox-limit'],
    needRestart: [],
  });
  expect(
    [inbox.fill(), inbox.fill('echo'), outbox.fill(), outbox.fill('echo')].map(({ limit }) => limit.messages),
  ).toEqual([6, 3, 4, 2]);
  const request = {
    messageId: 'm',
    responseTo: '',
    directive: 'echo',
    metadata: null,
    content: Buffer.from('1'),
  };
  const { sequence } = inbox.receive({ ...request, cancel: false, origin: 'broker' });
  await inbox.bury(sequence, 'no-worker', '').committed;
  expect(outbox.reports(0, 10)).toEqual([]);
  await prepared.stop();
});
