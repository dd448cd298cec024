/**
 * The four topics of one host, the only ones the daemon subscribes or publishes (docs/protocol.md).
 */
import { YggError } from '../base/errors.ts';

export interface Topics {
  readonly controlIn: string;
  readonly controlOut: string;
  readonly dataIn: string;
  readonly dataOut: string;
}

/** MQTT 3.1.1, 1.5.3: a topic is at most this long, in bytes. */
const maxTopicLength = 65_535;

/**
 * The topics below `prefix`, which may have several levels, for `clientId`, which is one level. Throws `YGG_CONFIG`
 * for what cannot be part of a topic name (MQTT 3.1.1, 4.7.3).
 */
export function createTopics(prefix: string, clientId: string): Topics {
  if (prefix === '' || /[+#\0]/.test(prefix)) {
    throw new YggError(
      'YGG_CONFIG',
      `topic-prefix is ${JSON.stringify(prefix)}: it must not be empty and must not contain +, # or NUL.`,
    );
  }
  if (clientId === '' || /[+#/\0]/.test(clientId)) {
    throw new YggError(
      'YGG_CONFIG',
      `client-id is ${JSON.stringify(clientId)}: it must not be empty and must not contain /, +, # or NUL.`,
    );
  }
  const host = `${prefix}/${clientId}`;
  const topics: Topics = {
    controlIn: `${host}/control/in`,
    controlOut: `${host}/control/out`,
    dataIn: `${host}/data/in`,
    dataOut: `${host}/data/out`,
  };
  if (Buffer.byteLength(topics.controlOut) > maxTopicLength) {
    throw new YggError('YGG_CONFIG', `topic-prefix and client-id are longer than a topic may be.`);
  }
  return topics;
}
