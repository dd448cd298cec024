import { describe, expect, test } from 'vitest';
import { createRig, newId, online, said, sendData } from './rig.ts';

describe('publishing', () => {
  test('a response leaves the outbox after its PUBACK', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    rig.broker.script.publish = () => 'silent';
    const messageId = newId();
    const sequence = rig.respond({
      messageId,
      responseTo: 'r',
      metadata: { k: 'v' },
      content: Buffer.from('{"a": 1}'),
    });
    await rig.until('published', () => said(connection, 'data/out').length === 1);
    expect(connection.texts('data/out')[0]).toMatch(
      new RegExp(
        `^\\{"type":"data","message_id":"${messageId}","response_to":"r","version":1,"sent":"[^"]+","directive":"echo","metadata":\\{"k":"v"\\},"content":\\{"a": 1\\}\\}$`,
      ),
    );
    expect(rig.journal.outbox.row(sequence)).toBeDefined();
    connection.send({ cmd: 'puback', messageId: connection.publishes.at(-1)?.messageId ?? 0 });
    await rig.until('removed', () => rig.journal.outbox.row(sequence) === undefined);
    await rig.until('announced', () => rig.of('message-send').length === 1);
    expect(rig.of('message-send')).toEqual([{ sequence, messageId }]);
    expect(rig.counters.get('responses_published')).toBe(1);
  });

  test('waits for the broker, and keeps the order', async () => {
    const rig = await createRig({ script: { connect: () => ({ returnCode: 3 }) } });
    const ids = Array.from({ length: 40 }, newId);
    for (const messageId of ids) rig.respond({ messageId });
    await rig.broker.connection(2);
    delete rig.broker.script.connect;
    await rig.until('emptied', () => rig.journal.outbox.fill().messages === 0);
    const published = rig.broker.connections.flatMap((connection) => said(connection, 'data/out'));
    expect(published.map(({ message_id: id }) => id)).toEqual(ids);
  });

  test('has at most 62 responses in flight, and places left for what is urgent', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    rig.broker.script.publish = () => 'silent';
    for (let index = 0; index < 80; index += 1) rig.respond();
    await rig.until('the window is full', () => said(connection, 'data/out').length === 62);
    rig.tags['site'] = 'lab';
    rig.hostChanged();
    await rig.until('the status', () => said(connection, 'control/out').length === 2);
    expect(said(connection, 'data/out')).toHaveLength(62);
    for (const { messageId } of connection.publishes.slice(1, 6))
      connection.send({ cmd: 'puback', messageId: messageId ?? 0 });
    await rig.until('five more', () => said(connection, 'data/out').length === 67);
  });

  test('what was in flight at a loss is sent again first, in order', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    rig.broker.script.publish = () => 'silent';
    const ids = Array.from({ length: 80 }, newId);
    for (const messageId of ids) rig.respond({ messageId });
    await rig.until('the window is full', () => said(connection, 'data/out').length === 62);
    delete rig.broker.script.publish;
    connection.drop();
    const second = await online(rig, 1);
    await rig.until('emptied', () => rig.journal.outbox.fill().messages === 0);
    expect(said(second, 'data/out').map(({ message_id: id }) => id)).toEqual(ids);
    expect(rig.of('client-disconnect')).toEqual([{ asked: false }]);
  });

  test('a response that closes every connection is sent alone in the end, and then given up; the others arrive', async () => {
    const rig = await createRig();
    await online(rig);
    const [before, poison, after] = [newId(), newId(), newId()];
    rig.broker.script.publish = ({ payload }) => (payload.toString().includes(poison) ? 'drop' : 'ack');
    for (const messageId of [before, poison, after]) rig.respond({ messageId });
    await rig.until('given up', () => rig.counters.get('responses_dead') === 1);
    await rig.until('emptied', () => rig.journal.outbox.fill().messages === 0);
    const [letter] = rig.journal.dead.list(Number.MAX_SAFE_INTEGER, 10);
    expect(letter).toMatchObject({ kind: 'response', messageId: poison, reason: 'publish-refused' });
    const times = rig.broker.connections
      .flatMap((connection) => said(connection, 'data/out'))
      .filter(({ message_id: id }) => id === poison);
    expect(times).toHaveLength(4);
    await rig.until('the others', () =>
      [before, after].every((id) =>
        rig.broker.connections.some((connection) =>
          said(connection, 'data/out').some(({ message_id: found }) => found === id),
        ),
      ),
    );
  });

  test('no more are in flight than a broker of MQTT 5 takes', async () => {
    const connect = () => ({ properties: { receiveMaximum: 3 } });
    const rig = await createRig({ mqtt: { version: 5 }, script: { connect } });
    const connection = await online(rig);
    await rig.until('acknowledged', () => connection.publishes.length === 1);
    rig.broker.script.publish = () => 'silent';
    for (let index = 0; index < 5; index += 1) rig.respond();
    await rig.until('one', () => said(connection, 'data/out').length === 1);
    rig.tags['site'] = 'lab';
    rig.hostChanged();
    await rig.until('the status beside it', () => said(connection, 'control/out').length === 2);
    expect(said(connection, 'data/out')).toHaveLength(1);
    delete rig.broker.script.publish;
    for (const { messageId } of connection.publishes.slice(1))
      connection.send({ cmd: 'puback', messageId: messageId ?? 0 });
    await rig.until('emptied', () => rig.journal.outbox.fill().messages === 0);
  });

  test('a broker whose quota is used up gets the same ones later, in order', async () => {
    const rig = await createRig({ mqtt: { version: 5 } });
    const connection = await online(rig);
    let refusals = 3;
    rig.broker.script.publish = () => {
      refusals -= 1;
      return refusals >= 0 ? 0x97 : 'ack';
    };
    const ids = Array.from({ length: 3 }, newId);
    for (const messageId of ids) rig.respond({ messageId });
    await rig.until('refused', () => said(connection, 'data/out').length === 3);
    await rig.until('emptied', () => rig.journal.outbox.fill().messages === 0);
    expect(said(connection, 'data/out').map(({ message_id: id }) => id)).toEqual([...ids, ...ids]);
    expect(rig.counters.get('responses_dead')).toBe(0);
    expect(rig.broker.connections).toHaveLength(1);
  });

  test.each([
    [0x87, 1],
    [0x83, 4],
  ])('a response that is refused with reason %i is a dead letter after %i tries', async (reason, tries) => {
    const rig = await createRig({ mqtt: { version: 5 } });
    const connection = await online(rig);
    const messageId = newId();
    rig.broker.script.publish = ({ payload }) => (payload.toString().includes(messageId) ? reason : 0x10);
    rig.respond({ messageId });
    rig.respond();
    await rig.until('given up', () => rig.counters.get('responses_dead') === 1);
    await rig.until('emptied', () => rig.journal.outbox.fill().messages === 0);
    const [letter] = rig.journal.dead.list(Number.MAX_SAFE_INTEGER, 10);
    expect(letter).toMatchObject({ messageId, reason: 'publish-refused' });
    const times = said(connection, 'data/out').filter(({ message_id: id }) => id === messageId);
    expect(times).toHaveLength(tries);
    // The other response, and its own failure is no matter of the server's.
    expect(rig.counters.get('publishes_unheard')).toBeGreaterThan(0);
  });

  test('what is said twice is published once', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    rig.broker.script.publish = () => 'silent';
    const sequence = rig.respond();
    void rig.signals.emit('data-consume', { sequence });
    await rig.until('published', () => said(connection, 'data/out').length === 1);
    void rig.signals.emit('data-consume', { sequence });
    connection.send({ cmd: 'puback', messageId: connection.publishes.at(-1)?.messageId ?? 0 });
    await rig.until('removed', () => rig.journal.outbox.row(sequence) === undefined);
    delete rig.broker.script.publish;
    rig.respond({ messageId: 'last' });
    await rig.until('the last', () => said(connection, 'data/out').length === 2);
    expect(said(connection, 'data/out')[1]).toMatchObject({ message_id: 'last' });
  });

  test('a response whose content is damaged on disk is a dead letter', async () => {
    const rig = await createRig();
    const sequence = rig.respond();
    const whole = rig.respond();
    await rig.journal.flush();
    for (const { key, value } of rig.store.disk.get('bodies')?.values() ?? []) {
      if (key === sequence) value.fill(0);
    }
    await online(rig);
    await rig.until('both gone', () => rig.journal.outbox.fill().messages === 0);
    expect(rig.journal.dead.get(sequence)).toMatchObject({ reason: 'internal' });
    expect(rig.journal.dead.get(whole)).toBeUndefined();
  });

  test('a report is published when the death it tells of is on the disk', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    sendData(connection);
    await rig.until('acknowledged', () => connection.pubacks.length === 1);
    const { sequence = 0 } = rig.journal.inbox.waiting('echo', 1)[0] ?? {};
    rig.store.held = true;
    rig.journal.inbox.bury(sequence, 'no-worker', '');
    void rig.signals.emit('message-settle', { sequence, directive: 'echo', outcome: 'dead' });
    await rig.until('the write', () => rig.store.tried === rig.store.committed + 1);
    // What the connection brings next is said, the report is not.
    rig.tags['a'] = 'b';
    rig.hostChanged();
    await rig.until('a status', () => said(connection, 'control/out').length === 2);
    expect(said(connection, 'data/out')).toEqual([]);
    rig.store.release();
    await rig.until('the report', () => said(connection, 'data/out').length === 1);
  });

  test('a report of an earlier life is published too', async () => {
    const before = await createRig({ idle: true });
    const request = {
      messageId: newId(),
      responseTo: '',
      directive: 'echo',
      metadata: null,
      content: Buffer.from('1'),
    } as const;
    await before.journal.inbox.refuse(
      { ...request, cancel: false, origin: 'broker' },
      'too-large',
      'Too large.',
    ).committed;
    const rig = await createRig({ disk: before.store.disk });
    const connection = await online(rig);
    await rig.until('the report', () => said(connection, 'data/out').length === 1);
    expect(said(connection, 'data/out')[0]).toMatchObject({
      response_to: request.messageId,
      directive: 'echo',
      metadata: { status: 'failed', reason: 'too-large' },
    });
  });
});

describe('stopping', () => {
  const never = new AbortController().signal;

  test('empties the outbox, says goodbye, and leaves', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    for (let index = 0; index < 40; index += 1) rig.respond();
    await rig.router.drain?.('quiet', never);
    await rig.router.drain?.('goodbye', never);
    expect(rig.journal.outbox.fill().messages).toBe(0);
    expect(said(connection, 'control/out').slice(-2)).toMatchObject([
      { content: 'disconnect' },
      { content: { state: 'offline' } },
    ]);
    await rig.until('closed', () => connection.closed);
    expect(connection.received.at(-1)?.cmd).toBe('disconnect');
    expect(connection.received.some(({ cmd }) => cmd === 'unsubscribe')).toBe(false);
  });

  test('does not wait for a broker that is away', async () => {
    const rig = await createRig({ script: { connect: () => 'silent' } });
    await rig.broker.connection(0);
    rig.respond();
    const begun = performance.now();
    await rig.router.drain?.('goodbye', never);
    expect(performance.now() - begun).toBeLessThan(1_000);
  });

  test('what comes after quiet is left to the broker', async () => {
    const { sendData } = await import('./rig.ts');
    const rig = await createRig();
    rig.register();
    const connection = await online(rig);
    await rig.router.drain?.('quiet', never);
    sendData(connection);
    rig.respond();
    await rig.until('published', () => said(connection, 'data/out').length === 1);
    expect(connection.pubacks).toEqual([]);
    expect(rig.journal.inbox.fill().messages).toBe(0);
  });
});
