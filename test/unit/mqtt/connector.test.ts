import { expect, test } from 'vitest';
import { noConnector } from '../../../src/mqtt/connector.ts';

test('without a broker the attempt to connect lasts until it is called off', async () => {
  const receiver = { onMessage: () => {}, onClose: () => {} };
  const controller = new AbortController();
  const connecting = noConnector.connect(receiver, { will: Buffer.alloc(0), abort: controller.signal });
  controller.abort(new Error('called off'));
  await expect(connecting).rejects.toThrow('called off');
  const late = noConnector.connect(receiver, { will: Buffer.alloc(0), abort: controller.signal });
  await expect(late).rejects.toThrow('called off');
  await expect(noConnector.publish('data/out', Buffer.alloc(0))).rejects.toMatchObject({
    code: 'YGG_BROKER_LOST',
  });
  await noConnector.close();
});
