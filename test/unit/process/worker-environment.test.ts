import { expect, test } from 'vitest';
import { workerEnvironment, workerPath } from '../../../src/process/worker-environment.ts';

const facts = {
  socketPath: '/run/yggdrasil/abcdefgh.s',
  configDir: '/etc/yggdrasil',
  logLevel: 'info',
  clientId: 'client',
  environment: {},
  entries: [],
} as const;

test('what the daemon sets cannot be replaced by an entry or a proxy', () => {
  const variables = workerEnvironment({
    ...facts,
    environment: { PATH: '/tmp', http_proxy: 'http://one', HTTP_PROXY: 'http://two', HOME: '/root' },
    entries: ['PATH=/tmp', 'YGG_CLIENT_ID=other', 'http_proxy=http://three', 'SIGNS=a=b=c'],
  });
  expect(variables).toEqual({
    PATH: workerPath,
    YGG_SOCKET_ADDR: 'unix:/run/yggdrasil/abcdefgh.s',
    YGG_CONFIG_DIR: '/etc/yggdrasil',
    YGG_LOG_LEVEL: 'INFO',
    YGG_CLIENT_ID: 'client',
    http_proxy: 'http://three',
    HTTP_PROXY: 'http://two',
    SIGNS: 'a=b=c',
  });
});
