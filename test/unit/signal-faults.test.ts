import { expect, onTestFinished, test } from 'vitest';
import { type LogFields, silentLogger } from '../../src/base/log.ts';
import { createCounters } from '../../src/counters.ts';
import { createDatastore } from '../../src/datastore.ts';
import { settleFault } from '../../src/signal-faults.ts';
import { createSignals } from '../../src/signals.ts';
import { openOnMemory, request } from './journal/journal-on-memory.ts';

/** A house in which every handler of the Dispatcher throws. */
function createHouse() {
  const { journal } = openOnMemory();
  const datastore = createDatastore();
  const counters = createCounters();
  const errors: LogFields[] = [];
  const log = { ...silentLogger, error: (fields: LogFields) => void errors.push(fields) };
  const signals = createSignals({
    onFault: (fault) => settleFault(fault, { signals, datastore, journal, counters, log }),
  });
  const bug = (): never => {
    throw new Error('a bug');
  };
  signals.on('data-process', 'dispatcher', bug);
  signals.on('message-cancel', 'dispatcher', bug);
  const settlements: unknown[] = [];
  signals.observe('message-settle', (settlement) => void settlements.push(settlement));
  onTestFinished(() => signals.close());
  return { journal, datastore, counters, errors, signals, settlements };
}

test('the message of a handler that threw is given up, and its slot is free', async () => {
  const { journal, datastore, counters, errors, signals, settlements } = createHouse();
  const { sequence } = journal.inbox.receive(request({ messageId: 'm-1' }), { redelivery: 'until-done' });
  const facts = { messageId: 'm-1', directive: 'echo', cancel: false, size: 1, slot: true };
  datastore.messages.add({ sequence, ...facts, state: 'offered' });
  await signals.emit('data-process', { sequence, directive: 'echo', cancel: false });
  await expect.poll(() => settlements).toEqual([{ sequence, directive: 'echo', outcome: 'dead' }]);
  expect(datastore.messages.get(sequence)).toBeUndefined();
  expect(journal.dead.get(sequence)).toMatchObject({ messageId: 'm-1', reason: 'internal' });
  expect(errors).toMatchObject([{ message_id: 'm-1', signal: 'data-process', error: 'a bug' }]);
  expect([counters.get('signal_faults'), counters.get('messages_dead')]).toEqual([1, 1]);
});

test('a fault without a message is said and counted, and the next signal is handled', async () => {
  const { counters, errors, signals, settlements } = createHouse();
  await signals.emit('message-cancel', { directive: 'echo', messageId: 'm-1' });
  await signals.emit('data-process', { sequence: 4_711, directive: 'echo', cancel: false });
  await expect.poll(() => errors.length).toBe(2);
  expect([counters.get('signal_faults'), counters.get('messages_dead')]).toEqual([2, 0]);
  expect(settlements).toEqual([]);
});
