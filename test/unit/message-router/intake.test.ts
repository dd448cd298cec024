import { describe, expect, test } from 'vitest';
import { createRig, dataMessage, newId, online, said, sendCommand, sendData, topics } from './rig.ts';

describe('a data message', () => {
  test('is on disk before it is acknowledged', async () => {
    const rig = await createRig();
    rig.register();
    const connection = await online(rig);
    rig.store.heldFlushes = true;
    const id = sendData(connection);
    await rig.until('admitted', () => rig.of('data-recv').length === 1);
    expect(connection.pubacks).toEqual([]);
    rig.store.release();
    await rig.until('acknowledged', () => connection.pubacks.length === 1);
    expect(connection.pubacks).toEqual([id]);
    expect(rig.counters.get('messages_received')).toBe(1);
  });

  test('for a worker with a free slot is offered in the same transaction', async () => {
    const rig = await createRig();
    rig.register({ redelivery: 'until-done' });
    const connection = await online(rig);
    sendData(connection, { content: '{ "n": 12345678901234567890123 }', metadata: { k: 'v' } });
    await rig.until('admitted', () => rig.of('data-recv').length === 1);
    const [{ sequence } = { sequence: 0 }] = rig.of('data-recv');
    expect(rig.journal.inbox.row(sequence)).toMatchObject({
      state: 'offered',
      attempt: 1,
      redelivery: 'until-done',
    });
    expect(rig.datastore.messages.get(sequence)).toMatchObject({
      state: 'offered',
      slot: true,
      directive: 'echo',
    });
    const body = rig.journal.inbox.body(sequence);
    expect(Buffer.from(body?.content ?? '').toString()).toBe('{ "n": 12345678901234567890123 }');
    expect(body?.metadata).toEqual({ k: 'v' });
  });

  test('for a worker with detached content is only received: it has to be fetched first', async () => {
    const rig = await createRig();
    rig.register({ detached: true });
    const connection = await online(rig);
    sendData(connection);
    await rig.until('admitted', () => rig.of('data-recv').length === 1);
    const [{ sequence } = { sequence: 0 }] = rig.of('data-recv');
    expect(rig.datastore.messages.get(sequence)).toMatchObject({ state: 'received', slot: true });
  });

  test('that comes again is acknowledged after its first copy is flushed, and not run again', async () => {
    const rig = await createRig();
    rig.register();
    const connection = await online(rig);
    const id = newId();
    rig.store.heldFlushes = true;
    sendData(connection, { id });
    await rig.until('admitted', () => rig.of('data-recv').length === 1);
    sendData(connection, { id });
    await rig.until('recognised', () => rig.counters.get('messages_duplicate') === 1);
    expect(connection.pubacks).toEqual([]);
    rig.store.release();
    await rig.until('both acknowledged', () => connection.pubacks.length === 2);
    rig.settle(rig.of('data-recv')[0]?.sequence ?? 0);
    sendData(connection, { id });
    await rig.until('acknowledged', () => connection.pubacks.length === 3);
    expect(rig.counters.get('messages_duplicate')).toBe(2);
    expect(rig.of('data-recv')).toHaveLength(1);
  });

  test('that is new under an old id runs, and is said', async () => {
    const rig = await createRig();
    rig.register();
    const connection = await online(rig);
    const id = newId();
    sendData(connection, { id });
    await rig.until('admitted', () => rig.of('data-recv').length === 1);
    sendData(connection, { id, content: '"other"' });
    await rig.until('admitted too', () => rig.of('data-recv').length === 2);
    expect(rig.counters.get('messages_id_reused')).toBe(1);
  });

  test.each<[string, string | Buffer]>([
    ['not JSON', 'hello'],
    ['not UTF-8', Buffer.from([0x7b, 0xff, 0x7d])],
    ['without an id', '{"directive":"echo"}'],
    ['for a directive that is a path', dataMessage({ directive: '../etc' })],
    ['of another type', '{"type":"command","message_id":"m","directive":"echo"}'],
  ])('that is %s is acknowledged and counted, and nothing else', async (_, payload) => {
    const rig = await createRig();
    const connection = await online(rig);
    const id = connection.publish({ topic: topics.dataIn, payload });
    await rig.until('acknowledged', () => connection.pubacks.length === 1);
    expect(connection.pubacks).toEqual([id]);
    expect(rig.counters.get('messages_refused')).toBe(1);
    expect(rig.journal.inbox.fill().messages).toBe(0);
  });

  test('with QoS 0 is taken the same way', async () => {
    const rig = await createRig();
    rig.register();
    const connection = await online(rig);
    connection.publish({ topic: topics.dataIn, payload: dataMessage(), qos: 0 });
    await rig.until('admitted', () => rig.of('data-recv').length === 1);
    expect(connection.pubacks).toEqual([]);
  });

  test('too large to be kept is reported as a dead letter, and the next one is taken', async () => {
    const rig = await createRig({ mqtt: { maxMessageSize: 1_000 } });
    rig.register();
    const connection = await online(rig);
    const big = newId();
    sendData(connection, { id: big, content: `"${'x'.repeat(200_000)}"` });
    connection.publish({ topic: topics.dataIn, payload: Buffer.alloc(200_000) });
    sendData(connection);
    await rig.until('all acknowledged', () => connection.pubacks.length === 3);
    await rig.until('reported', () => said(connection, 'data/out').length === 1);
    expect(said(connection, 'data/out')[0]).toMatchObject({
      response_to: big,
      directive: 'echo',
      metadata: { status: 'failed', reason: 'too-large' },
    });
    expect(rig.counters.get('messages_oversize')).toBe(2);
    expect(rig.counters.get('messages_refused')).toBe(1);
    await rig.until('the good one', () => rig.of('data-recv').length === 1);
  });

  test('on a topic that is not ours is acknowledged and ignored', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    connection.publish({ topic: 'other/host/data/in', payload: dataMessage() });
    await rig.until('acknowledged', () => connection.pubacks.length === 1);
    expect(rig.counters.get('messages_foreign_topic')).toBe(1);
    expect(rig.journal.inbox.fill().messages).toBe(0);
  });
});

describe('without room', () => {
  test("a directive's share is full: the message is a dead letter, reported, and may come again", async () => {
    const rig = await createRig({ limits: { inbox: { messages: 4, bytes: 10_000_000 } } });
    const connection = await online(rig);
    for (let index = 0; index < 2; index += 1) sendData(connection, { directive: 'greedy' });
    const refused = newId();
    sendData(connection, { directive: 'greedy', id: refused });
    sendData(connection, { directive: 'other' });
    await rig.until('all acknowledged', () => connection.pubacks.length === 4);
    await rig.until('reported', () => said(connection, 'data/out').length === 1);
    expect(said(connection, 'data/out')[0]).toMatchObject({
      response_to: refused,
      metadata: { reason: 'inbox-full' },
    });
    expect(rig.journal.inbox.find(refused)?.state).toBe('dead-unoffered');
  });

  test('the whole inbox is full: left to the broker, commands pass, and a new connection brings the rest', async () => {
    const rig = await createRig({ limits: { inbox: { messages: 4, bytes: 10_000_000 } } });
    rig.register({ handler: 'a', slots: 4 });
    rig.register({ handler: 'b', slots: 4 });
    const connection = await online(rig);
    for (const directive of ['a', 'a', 'b', 'b']) sendData(connection, { directive });
    await rig.until('four acknowledged', () => connection.pubacks.length === 4);
    const left = sendData(connection, { directive: 'a' });
    connection.publish({ topic: topics.dataIn, payload: dataMessage({ directive: 'b' }), qos: 0 });
    const ping = sendCommand(connection, 'ping');
    await rig.until('the pong', () =>
      said(connection, 'control/out').some((text) => text['response_to'] === ping),
    );
    expect(connection.pubacks).not.toContain(left);
    expect(rig.counters.get('messages_qos0_dropped')).toBe(1);
    expect(rig.broker.connections).toHaveLength(1);
    for (const { sequence } of rig.of('data-recv')) rig.settle(sequence);
    const second = await rig.broker.connection(1);
    expect(connection.received.at(-1)?.cmd).toBe('disconnect');
    expect(said(connection, 'control/out').filter((text) => text['content'] === 'disconnect')).toEqual([]);
    await online(rig, 1);
    sendData(second, { directive: 'a' });
    await rig.until('taken now', () => second.pubacks.length === 1);
  });

  test('what was cancelled before it came and is left to the broker is still cancelled when it comes again', async () => {
    const rig = await createRig({ limits: { inbox: { messages: 2, bytes: 10_000_000 } } });
    const connection = await online(rig);
    for (const directive of ['a', 'b']) sendData(connection, { directive });
    const id = newId();
    sendCommand(connection, 'cancel', { directive: 'a', messageID: id });
    await rig.until('three acknowledged', () => connection.pubacks.length === 3);
    sendData(connection, { directive: 'a', id });
    const ping = sendCommand(connection, 'ping');
    await rig.until('the pong', () =>
      said(connection, 'control/out').some((text) => text['response_to'] === ping),
    );
    rig.register({ handler: 'a' });
    rig.register({ handler: 'b' });
    await rig.until('admitted', () => rig.of('data-recv').length === 2);
    for (const { sequence } of rig.of('data-recv')) rig.settle(sequence);
    const second = await rig.broker.connection(1);
    await online(rig, 1);
    sendData(second, { directive: 'a', id });
    await rig.until('acknowledged', () => second.pubacks.length === 1);
    expect(rig.journal.inbox.find(id)?.state).toBe('cancelled');
  });

  test('a disk that refuses: left to the broker, and taken when it recovers', async () => {
    const rig = await createRig();
    rig.register();
    const connection = await online(rig);
    rig.store.fault = 'full';
    const id = newId();
    sendData(connection, { id });
    await rig.until('trouble', () => rig.journal.trouble !== undefined);
    expect(connection.pubacks).toEqual([]);
    expect(rig.of('data-recv')).toEqual([]);
    rig.store.fault = undefined;
    const second = await online(rig, 1);
    sendData(second, { id });
    await rig.until('acknowledged', () => second.pubacks.length === 1);
    await rig.until('admitted', () => rig.of('data-recv').length === 1);
  }, 20_000);
});
