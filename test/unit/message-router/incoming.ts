/** A message as a connector hands it over, which nobody waits to see settled. */
import type { Incoming } from '../../../src/mqtt/connector.ts';
import { topics } from './rig.ts';

export function incoming(given: Pick<Incoming, 'topic' | 'payload'>): Incoming {
  const nothing = (): void => {};
  return {
    topicName: given.topic === 'control/in' ? topics.controlIn : topics.dataIn,
    oversize: undefined,
    qos: 1,
    retain: false,
    redelivered: false,
    pressed: false,
    acknowledge: nothing,
    leave: nothing,
    ...given,
  };
}
