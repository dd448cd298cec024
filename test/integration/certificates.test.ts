/** Certificates that are replaced while the daemon runs. */
import { copyFileSync, mkdirSync, readFileSync, renameSync, symlinkSync } from 'node:fs';
import path from 'node:path';
import { expect, test } from 'vitest';
import { createCertificates, type KeyPair } from '../helpers/certificates.ts';
import { startScriptedBroker } from '../helpers/scripted-broker.ts';
import { tempDir } from '../helpers/temp-dir.ts';
import { testScope } from '../helpers/test-scope.ts';
import { createHome, startYggd } from '../helpers/yggd.ts';

const deadline = 20_000;

test('a new pair is shown to the broker on a new connection, half a pair and another name are not', async () => {
  const scope = testScope();
  const authority = createCertificates(scope);
  const { server } = authority;
  const broker = await startScriptedBroker(
    {},
    {
      tls: {
        cert: readFileSync(server.cert),
        key: readFileSync(server.key),
        ca: readFileSync(authority.ca),
        requestCert: true,
      },
    },
  );
  scope.defer(() => broker.close());
  const folder = tempDir(scope);
  /** A folder beside the link, which is swapped to it as Kubernetes swaps a secret. */
  const swapTo = (name: string, { cert, key }: KeyPair): void => {
    mkdirSync(path.join(folder, name));
    copyFileSync(cert, path.join(folder, name, 'cert.pem'));
    copyFileSync(key, path.join(folder, name, 'key.pem'));
    symlinkSync(name, path.join(folder, 'next'));
    renameSync(path.join(folder, 'next'), path.join(folder, 'data'));
  };
  const [first, second, third, other] = [
    authority.client('host-1'),
    authority.client('host-1'),
    authority.client('host-1'),
    authority.client('host-2'),
  ];
  swapTo('one', first);
  for (const file of ['cert.pem', 'key.pem']) symlinkSync(`data/${file}`, path.join(folder, file));
  const yggd = startYggd(scope, {
    home: createHome(scope),
    brokers: [broker.url],
    clientId: '',
    flags: [
      ...['--cert-file', path.join(folder, 'cert.pem'), '--key-file', path.join(folder, 'key.pem')],
      ...['--ca-root', authority.ca],
    ],
  });
  const online = async (index: number): Promise<string> => {
    await broker.until(`online on connection ${index}`, () => isOnline(index), deadline);
    return (await broker.connection(index)).peer;
  };
  const isOnline = (index: number): boolean =>
    broker.connections[index]?.texts('control/out').some((text) => text.includes('"online"')) ?? false;
  const peers = [await online(0)];

  swapTo('two', second);
  peers.push(await online(1));
  expect(broker.connections[0]?.received.at(-1)?.cmd).toBe('disconnect');

  copyFileSync(third.cert, path.join(folder, 'two', 'cert.pem'));
  await yggd.says(/^changed certificates cannot be used/, deadline);
  copyFileSync(third.key, path.join(folder, 'two', 'key.pem'));
  peers.push(await online(2));
  expect(new Set(peers).size).toBe(3);

  swapTo('three', other);
  expect(await yggd.says(/^the certificate names another host/, deadline)).toMatchObject({
    common_name: 'host-2',
    before: 'host-1',
  });
  expect(broker.connections).toHaveLength(3);
  await yggd.stopCleanly();
  expect(yggd.logged({ level: 'error' })).toEqual([]);
});
