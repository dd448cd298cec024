import { describe, expect, test } from 'vitest';
import { createTopics } from '../../../src/mqtt/topics.ts';

describe('createTopics', () => {
  test('puts the host below the prefix, which may have several levels', () => {
    expect(createTopics('redhat/insights', 'test-client-0001')).toEqual({
      controlIn: 'redhat/insights/test-client-0001/control/in',
      controlOut: 'redhat/insights/test-client-0001/control/out',
      dataIn: 'redhat/insights/test-client-0001/data/in',
      dataOut: 'redhat/insights/test-client-0001/data/out',
    });
  });

  test.each([
    ['', 'host', 'topic-prefix'],
    ['a/+', 'host', 'topic-prefix'],
    ['a/#', 'host', 'topic-prefix'],
    ['a\0', 'host', 'topic-prefix'],
    ['a', '', 'client-id'],
    ['a', 'x/y', 'client-id'],
    ['a', '+', 'client-id'],
    ['a', '#', 'client-id'],
    ['a', 'x\0', 'client-id'],
    ['a', 'x'.repeat(65_535), 'longer'],
  ])('refuses prefix %j with client id %j', (prefix, clientId, named) => {
    expect(() => createTopics(prefix, clientId)).toThrow(
      expect.objectContaining({ code: 'YGG_CONFIG', message: expect.stringContaining(named) }),
    );
  });
});
