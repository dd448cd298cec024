import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { createDatastore } from '../../../src/datastore.ts';
import { Admission } from '../../../src/message-router/admission.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import { openOnMemory } from '../journal/journal-on-memory.ts';
import { createRig, newId, online, said, sendCommand, sendData } from './rig.ts';

describe('admission', () => {
  test('gives no more slots than the worker has, and the next message the free one, oldest first', async () => {
    const rig = await createRig();
    rig.register({ slots: 2 });
    const connection = await online(rig);
    for (let index = 0; index < 10; index += 1) sendData(connection, { content: `${index}` });
    await rig.until('all acknowledged', () => connection.pubacks.length === 10);
    expect(rig.of('data-recv')).toHaveLength(2);
    for (let index = 0; index < 10; index += 1) {
      await rig.until('the next', () => rig.of('data-recv').length > index);
      expect(rig.datastore.messages.size).toBeLessThanOrEqual(2);
      rig.settle(rig.of('data-recv')[index]?.sequence ?? 0);
    }
    await rig.until('all settled', () => rig.journal.inbox.fill().messages === 0);
    const order = rig.of('data-recv').map(({ sequence }) => sequence);
    expect(order).toEqual([...order].sort((a, b) => a - b));
  });

  test('a message whose slot is released has not ended yet', () => {
    const datastore = createDatastore();
    datastore.workers.add({
      ...{ handler: 'echo', pid: 1, file: '', features: {}, detached: false, redelivery: 'until-done' },
      ...{ slots: 1, timeout: 1_000, registeredAt: 0 },
    });
    const admission = new Admission({
      inbox: openOnMemory().journal.inbox,
      datastore,
      window: { messages: 4, bytes: 1_000 },
      counters: { count: () => {} },
      log: silentLogger,
      onAdmitted: () => {},
      onOrphaned: () => {},
      onRoom: () => {},
    });
    admission.settle(1, 'echo', 'released');
    expect(admission.settled('echo')).toBe(0);
    admission.settle(1, 'echo', 'done');
    expect(admission.settled('echo')).toBe(1);
  });

  test('a released slot is freed once, whatever follows', async () => {
    const rig = await createRig();
    rig.register({ slots: 1 });
    const connection = await online(rig);
    for (let index = 0; index < 3; index += 1) sendData(connection);
    await rig.until('one', () => rig.of('data-recv').length === 1);
    const [first] = rig.of('data-recv');
    const doc = rig.datastore.messages.get(first?.sequence ?? 0);
    if (!first || !doc) throw new Error('nothing admitted');
    doc.slot = false;
    void rig.signals.emit('message-settle', { ...first, outcome: 'released' });
    await rig.until('two', () => rig.of('data-recv').length === 2);
    rig.settle(first.sequence);
    await rig.until('settled', () => rig.datastore.messages.size === 1);
    expect(rig.of('data-recv')).toHaveLength(2);
  });

  test('what comes back is admitted again before what is younger', async () => {
    const rig = await createRig();
    rig.register({ slots: 1 });
    const connection = await online(rig);
    for (let index = 0; index < 3; index += 1) sendData(connection);
    await rig.until('all acknowledged', () => connection.pubacks.length === 3);
    const [first] = rig.of('data-recv');
    rig.settle(first?.sequence ?? 0, 'back');
    await rig.until('again', () => rig.of('data-recv').length === 2);
    expect(rig.of('data-recv')[1]?.sequence).toBe(first?.sequence);
  });

  test('messages that come back together, the oldest last, free each slot once', async () => {
    const rig = await createRig();
    rig.register({ slots: 2 });
    const connection = await online(rig);
    for (let index = 0; index < 3; index += 1) sendData(connection);
    await rig.until('two', () => rig.of('data-recv').length === 2);
    const [older, younger] = rig.of('data-recv').map(({ sequence }) => sequence);
    rig.settle(younger ?? 0, 'back');
    rig.settle(older ?? 0, 'back');
    await rig.until('both again', () => rig.of('data-recv').length === 4);
    // The slots are all there, and no more than that.
    for (let index = 2; index < 5; index += 1) {
      await rig.until('the next', () => rig.of('data-recv').length > index);
      expect(rig.datastore.messages.size).toBeLessThanOrEqual(2);
      rig.settle(rig.of('data-recv')[index]?.sequence ?? 0);
    }
    for (let index = 0; index < 2; index += 1) sendData(connection);
    await rig.until('two more', () => rig.datastore.messages.size === 2);
  });

  test('what was read ahead and then refused by the disk is not admitted', async () => {
    const rig = await createRig();
    rig.register({ slots: 1 });
    const connection = await online(rig);
    for (let index = 0; index < 2; index += 1) sendData(connection);
    await rig.until('acknowledged', () => connection.pubacks.length === 2);
    // The third is read ahead while it is written, and then refused.
    rig.store.held = true;
    sendData(connection);
    await rig.until('received', () => rig.counters.get('messages_received') === 3);
    rig.settle(rig.of('data-recv')[0]?.sequence ?? 0);
    await rig.until('the second', () => rig.of('data-recv').length === 2);
    rig.settle(rig.of('data-recv')[1]?.sequence ?? 0);
    rig.store.fault = 'failing';
    rig.store.release();
    await rig.until('trouble', () => rig.journal.trouble !== undefined);
    rig.store.fault = undefined;
    await rig.until('no trouble', () => rig.journal.trouble === undefined);
    for (let index = 2; index < 4; index += 1) {
      sendData(connection);
      await rig.until('the next', () => rig.of('data-recv').length > index);
      const { sequence = 0 } = rig.of('data-recv')[index] ?? {};
      expect(rig.journal.inbox.row(sequence)).toBeDefined();
      rig.settle(sequence);
    }
  });

  test('waits on disk for a worker, and keeps the order when one comes', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    for (let index = 0; index < 6; index += 1) sendData(connection);
    await rig.until('all acknowledged', () => connection.pubacks.length === 6);
    expect(rig.datastore.messages.size).toBe(0);
    rig.register({ slots: 4 });
    await rig.until('four', () => rig.of('data-recv').length === 4);
    expect(rig.datastore.messages.all().map(({ state }) => state)).toEqual(Array(4).fill('received'));
  });

  test('finds what an earlier life left waiting', async () => {
    const before = await createRig();
    const connection = await online(before);
    sendData(connection);
    sendData(connection, { metadata: { event: 'cancel' } });
    await before.until('acknowledged', () => connection.pubacks.length === 2);
    const rig = await createRig({ disk: before.store.disk });
    rig.register();
    await rig.until('both', () => rig.of('data-recv').length === 2);
    expect(rig.of('data-recv').map(({ cancel }) => cancel)).toEqual([true, false]);
  });

  test('the global window holds, but every directive gets one slot', async () => {
    const rig = await createRig({ router: { window: { messages: 3, bytes: 1_000_000 } } });
    rig.register({ handler: 'a', slots: 10 });
    rig.register({ handler: 'b', slots: 10 });
    const connection = await online(rig);
    for (let index = 0; index < 5; index += 1) sendData(connection, { directive: 'a' });
    await rig.until('acknowledged', () => connection.pubacks.length === 5);
    expect(rig.of('data-recv')).toHaveLength(3);
    sendData(connection, { directive: 'b' });
    sendData(connection, { directive: 'b' });
    await rig.until('one of b', () => rig.of('data-recv').length === 4);
    await rig.until('acknowledged', () => connection.pubacks.length === 7);
    expect(rig.of('data-recv').map(({ directive }) => directive)).toEqual(['a', 'a', 'a', 'b']);
    // What a gives back goes to whoever has waited for the window.
    for (const { sequence } of rig.of('data-recv').slice(0, 3)) rig.settle(sequence);
    await rig.until('the rest of a', () => rig.of('data-recv').length === 6);
    rig.settle(rig.of('data-recv')[4]?.sequence ?? 0);
    await rig.until('the rest of b', () => rig.of('data-recv').length === 7);
    expect(rig.datastore.messages.size).toBe(3);
  });

  test('many bytes count as many messages do', async () => {
    const rig = await createRig({ router: { window: { messages: 100, bytes: 1_000 } } });
    rig.register({ slots: 10 });
    const connection = await online(rig);
    for (let index = 0; index < 4; index += 1) sendData(connection, { content: `"${'x'.repeat(600)}"` });
    await rig.until('acknowledged', () => connection.pubacks.length === 4);
    expect(rig.of('data-recv')).toHaveLength(1);
  });

  test('a worker that went while its message was written gets it not, the next one does', async () => {
    const rig = await createRig();
    rig.register();
    const connection = await online(rig);
    rig.store.held = true;
    sendData(connection);
    await rig.until('received', () => rig.counters.get('messages_received') === 1);
    rig.unregister('echo');
    rig.store.release();
    await rig.until('acknowledged', () => connection.pubacks.length === 1);
    expect(rig.datastore.messages.size).toBe(0);
    expect(rig.journal.inbox.waitingCount('echo')).toBe(1);
    rig.register({ pid: 2 });
    await rig.until('admitted', () => rig.of('data-recv').length === 1);
  });

  test('a local message is admitted like any other', async () => {
    const rig = await createRig();
    rig.register();
    const content = Buffer.from('1');
    const request = {
      messageId: newId(),
      responseTo: '',
      directive: 'echo',
      metadata: null,
      content,
    } as const;
    const { sequence, committed } = rig.journal.inbox.receive({ ...request, cancel: false, origin: 'local' });
    await committed;
    void rig.signals.emit('inbox-add', { sequence, directive: 'echo' });
    await rig.until('admitted', () => rig.of('data-recv').length === 1);
  });
});

describe('cancels', () => {
  const cancel = { metadata: { event: 'cancel' } };

  test('of Foreman overtake what waits, and take no slot', async () => {
    const rig = await createRig();
    rig.register({ slots: 1 });
    const connection = await online(rig);
    for (let index = 0; index < 3; index += 1) sendData(connection);
    sendData(connection, cancel);
    await rig.until('admitted', () => rig.of('data-recv').length === 2);
    expect(rig.of('data-recv').map((signal) => signal.cancel)).toEqual([false, true]);
    const sequence = rig.of('data-recv')[1]?.sequence ?? 0;
    expect(rig.datastore.messages.get(sequence)).toMatchObject({ cancel: true, slot: false });
  });

  test('that are tried again are admitted, also when all others had been', async () => {
    const rig = await createRig();
    rig.register();
    const connection = await online(rig);
    sendData(connection, cancel);
    await rig.until('admitted', () => rig.of('data-recv').length === 1);
    const { sequence } = rig.of('data-recv')[0] ?? { sequence: 0 };
    rig.journal.inbox.bury(sequence, 'worker-error', 'It threw.');
    rig.datastore.messages.remove(sequence);
    const retried = rig.journal.dead.retry(sequence);
    await retried?.committed;
    void rig.signals.emit('inbox-add', { sequence: retried?.sequence ?? 0, directive: 'echo' });
    await rig.until('admitted again', () => rig.of('data-recv').length === 2);
    expect(rig.of('data-recv')[1]).toMatchObject({ sequence: retried?.sequence, cancel: true });
  });

  test('of which too many wait: the oldest is dropped', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    for (let index = 0; index < 18; index += 1) sendData(connection, cancel);
    await rig.until('acknowledged', () => connection.pubacks.length === 18);
    await rig.until('two dropped', () => rig.counters.get('cancels_dropped') === 2);
    expect(rig.journal.inbox.cancels('echo', 100)).toHaveLength(16);
    rig.register();
    await rig.until('sixteen', () => rig.of('data-recv').length === 16);
  });

  test('by command: a waiting message becomes a dead letter', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    const id = newId();
    sendData(connection, { id });
    await rig.until('acknowledged', () => connection.pubacks.length === 1);
    sendCommand(connection, 'cancel', { directive: 'echo', messageID: id });
    await rig.until('cancelled', () => rig.journal.inbox.find(id)?.state === 'cancelled');
    await rig.until('reported', () => said(connection, 'data/out').length === 1);
    expect(said(connection, 'data/out')[0]).toMatchObject({
      response_to: id,
      metadata: { reason: 'cancelled' },
    });
  });

  test('by command: so does one that was handed over before and came back', async () => {
    const rig = await createRig();
    rig.register({ slots: 1 });
    const connection = await online(rig);
    const id = newId();
    sendData(connection, { id });
    await rig.until('admitted', () => rig.of('data-recv').length === 1);
    rig.unregister('echo');
    rig.settle(rig.of('data-recv')[0]?.sequence ?? 0, 'back');
    sendCommand(connection, 'cancel', { directive: 'echo', messageID: id });
    await rig.until('cancelled', () => rig.journal.inbox.find(id)?.state === 'cancelled');
    expect(rig.of('message-cancel')).toEqual([]);
  });

  test('by command: so does one that is still being written, and its slot is free', async () => {
    const clock = new HandClock();
    const rig = await createRig({ clock });
    rig.register({ slots: 1 });
    const connection = await online(rig);
    const id = newId();
    rig.store.held = true;
    sendData(connection, { id });
    const command = sendCommand(connection, 'cancel', { directive: 'echo', messageID: id });
    await rig.until('remembered', () => rig.journal.done.has(command));
    // A disk that is slow stops no command.
    clock.wind(2_000);
    await rig.until('cancelled', () => rig.journal.inbox.find(id)?.state === 'cancelled');
    rig.store.release();
    await rig.until('acknowledged', () => connection.pubacks.length === 2);
    expect(rig.datastore.messages.size).toBe(0);
    sendData(connection);
    await rig.until('the next', () => rig.of('data-recv').length === 1);
    expect(rig.datastore.messages.all()[0]?.messageId).not.toBe(id);
  });

  test('by command: a message that was next is not admitted any more', async () => {
    const rig = await createRig();
    rig.register({ slots: 1 });
    const connection = await online(rig);
    const ids = Array.from({ length: 4 }, newId);
    for (const id of ids) sendData(connection, { id });
    await rig.until('acknowledged', () => connection.pubacks.length === 4);
    rig.settle(rig.of('data-recv')[0]?.sequence ?? 0);
    await rig.until('the second', () => rig.of('data-recv').length === 2);
    sendCommand(connection, 'cancel', { directive: 'echo', messageID: ids[2] ?? '' });
    await rig.until('cancelled', () => rig.journal.inbox.find(ids[2] ?? '')?.state === 'cancelled');
    rig.settle(rig.of('data-recv')[1]?.sequence ?? 0);
    await rig.until('the fourth', () => rig.of('data-recv').length === 3);
    expect(rig.datastore.messages.all().map(({ messageId }) => messageId)).toEqual([ids[3]]);
  });

  test('by command: whoever works on the message is told', async () => {
    const rig = await createRig();
    rig.register();
    const connection = await online(rig);
    const id = newId();
    sendData(connection, { id });
    await rig.until('admitted', () => rig.of('data-recv').length === 1);
    sendCommand(connection, 'cancel', { directive: 'echo', messageID: id });
    await rig.until('told', () => rig.of('message-cancel').length === 1);
    expect(rig.of('message-cancel')).toEqual([{ directive: 'echo', messageId: id }]);
  });

  test('by command: a message that comes after its cancel is not run', async () => {
    const rig = await createRig();
    rig.register();
    const connection = await online(rig);
    const id = newId();
    sendCommand(connection, 'cancel', { directive: 'echo', messageID: id });
    await rig.until('acknowledged', () => connection.pubacks.length === 1);
    sendData(connection, { id });
    sendData(connection);
    await rig.until('acknowledged', () => connection.pubacks.length === 3);
    expect(rig.of('data-recv')).toHaveLength(1);
    expect(rig.journal.inbox.find(id)?.state).toBe('cancelled');
  });
});
