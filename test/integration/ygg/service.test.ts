/** From a host that is new to a connected daemon, and back. */
import path from 'node:path';
import { expect, test } from 'vitest';
import { newHost, startFakeHost } from '../../helpers/fake-host.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { waitFor } from '../../helpers/wait-for.ts';
import { ygg } from '../../helpers/ygg.ts';
import { createHome } from '../../helpers/yggd.ts';

const daemon = path.resolve(import.meta.dirname, '../../../dist/cmd/yggd.js');

test('register starts the daemon, status sees it connected, unregister stops it', async () => {
  const scope = testScope();
  const home = createHome(scope);
  const host = await startFakeHost(scope);
  const folders = ['--runtime-dir', home.runtimeDir, '--state-dir', home.stateDir];
  const words = ['--broker', 'embedded', '--worker-dir', home.workerDir, '--config-dir', home.configDir];
  const service = [process.execPath, daemon, ...words, ...folders];
  host.become({ ...newHost, service: ['setpriv', '--pdeathsig', 'KILL', ...service] });
  const options = { address: host.address, stdin: 'correct horse' };

  const registered = await ygg(scope, options, 'register', '--username', 'alice', '--password-stdin');
  expect(registered).toMatchObject({ code: 0, err: '' });
  const status = async (): Promise<number | null> =>
    (await ygg(scope, options, 'status', '--runtime-dir', home.runtimeDir)).code;
  await waitFor(async () => (await status()) === 0, { what: 'a connected daemon', deadline: 20_000 });

  expect(await ygg(scope, options, 'unregister')).toMatchObject({ code: 0, err: '' });
  expect(await status()).toBe(3);
  expect(home.runtimeFiles()).toEqual([]);
});
