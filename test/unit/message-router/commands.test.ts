import { describe, expect, test } from 'vitest';
import { systemClock } from '../../../src/base/clock.ts';
import { silentLogger } from '../../../src/base/log.ts';
import { createCounters } from '../../../src/counters.ts';
import { Commands } from '../../../src/message-router/commands.ts';
import { encodeCommand } from '../../../src/messages.ts';
import { stays } from '../../helpers/wait-for.ts';
import { openOnMemory } from '../journal/journal-on-memory.ts';
import { incoming } from './incoming.ts';
import { createRig, newId, online, said, sendCommand, topics } from './rig.ts';

describe('commands', () => {
  test('ping is answered with a pong', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    const id = sendCommand(connection, 'ping', {});
    await rig.until('the pong', () => said(connection, 'control/out').some(({ type }) => type === 'event'));
    expect(said(connection, 'control/out').at(-1)).toMatchObject({
      type: 'event',
      content: 'pong',
      response_to: id,
    });
    expect(rig.counters.get('commands_done')).toBe(1);
  });

  test('that come before the subscription of a resumed session are carried out once it is up', async () => {
    const rig = await createRig({
      script: { connect: () => ({ sessionPresent: true }), subscribe: () => 'silent' },
    });
    const connection = await rig.broker.connection(0);
    const subscription = (): number | undefined =>
      connection.received.find(({ cmd }) => cmd === 'subscribe')?.messageId;
    await rig.until('the subscription', () => subscription() !== undefined);
    const id = sendCommand(connection, 'ping');
    await rig.until('acknowledged', () => connection.pubacks.length === 1);
    expect(rig.counters.get('commands_done')).toBe(0);
    connection.send({ cmd: 'suback', messageId: subscription() ?? 0, granted: [1, 1] });
    await rig.until('the pong', () =>
      said(connection, 'control/out').some(({ response_to }) => response_to === id),
    );
  });

  test('are on disk, then acknowledged, then carried out', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    rig.store.heldFlushes = true;
    const id = sendCommand(connection, 'ping');
    await rig.until('remembered', () => rig.journal.done.has(id));
    expect(connection.pubacks).toEqual([]);
    expect(said(connection, 'control/out')).toHaveLength(1);
    rig.store.release();
    await rig.until('the pong', () => said(connection, 'control/out').length === 2);
    expect(connection.pubacks).toHaveLength(1);
  });

  test('are carried out although the disk is stuck', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    rig.store.held = true;
    sendCommand(connection, 'ping');
    await rig.until('the pong', () => said(connection, 'control/out').length === 2);
    rig.store.release();
  });

  test('that come again are acknowledged, and not carried out again', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    const id = sendCommand(connection, 'ping');
    await rig.until('the pong', () => said(connection, 'control/out').length === 2);
    sendCommand(connection, 'ping', null, id);
    await rig.until('acknowledged', () => connection.pubacks.length === 2);
    expect(rig.counters.get('commands_duplicate')).toBe(1);
    expect(said(connection, 'control/out')).toHaveLength(2);
  });

  test('nobody knows are one warning, nothing else', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    sendCommand(connection, 'dance');
    await rig.until('acknowledged', () => connection.pubacks.length === 1);
    await rig.until('counted', () => rig.counters.get('commands_unknown') === 1);
    expect(rig.counters.get('commands_done')).toBe(0);
  });

  test.each([
    ['no envelope', 'hello'],
    ['content that is a word', '{"message_id":"m","content":"ping"}'],
    ['no id', '{"content":{"command":"ping"}}'],
    ['a nested argument', '{"message_id":"m","content":{"command":"reconnect","arguments":{"delay":{}}}}'],
  ])('with %s are acknowledged and counted', async (_, payload) => {
    const rig = await createRig();
    const connection = await online(rig);
    connection.publish({ topic: topics.controlIn, payload });
    await rig.until('acknowledged', () => connection.pubacks.length === 1);
    expect(rig.counters.get('commands_refused')).toBe(1);
  });

  test.each([
    ['no message', { directive: 'echo' }],
    ['no directive', { messageID: newId() }],
    ['a message that can be none', { directive: 'echo', messageID: 'x'.repeat(257) }],
    ['a directive that can be none', { directive: 'x'.repeat(129), messageID: newId() }],
  ])('a cancel that names %s is refused', async (_, args) => {
    const rig = await createRig();
    const connection = await online(rig);
    sendCommand(connection, 'cancel', args);
    await rig.until('refused', () => rig.counters.get('commands_refused') === 1);
    expect(rig.of('message-cancel')).toEqual([]);
  });

  test('that are retained are ignored', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    const payload = encodeCommand({ messageId: newId(), sent: Date.now() }, 'ping', null);
    connection.publish({ topic: topics.controlIn, payload, retain: true });
    await rig.until('acknowledged', () => connection.pubacks.length === 1);
    expect(rig.counters.get('commands_retained')).toBe(1);
    expect(said(connection, 'control/out')).toHaveLength(1);
  });

  test.each([
    ['sent days ago, in a resumed session', true, 3 * 24 * 3_600_000, 'commands_stale'],
    ['sent a minute ago, in a resumed session', true, 60_000, 'commands_done'],
    ['sent days ago, in a new session (a clock that is wrong)', false, 3 * 24 * 3_600_000, 'commands_done'],
  ] as const)('%s', async (_, sessionPresent, age, counter) => {
    const rig = await createRig({ script: { connect: () => ({ sessionPresent }) } });
    const connection = await online(rig);
    const payload = encodeCommand({ messageId: newId(), sent: Date.now() - age }, 'ping', null);
    connection.publish({ topic: topics.controlIn, payload });
    await rig.until(counter, () => rig.counters.get(counter) === 1);
    await rig.until('acknowledged', () => connection.pubacks.length === 1);
  });

  test('that say nothing about when they were sent are fresh', async () => {
    const rig = await createRig({ script: { connect: () => ({ sessionPresent: true }) } });
    const connection = await online(rig);
    const payload = `{"message_id":"${newId()}","content":{"command":"ping"}}`;
    connection.publish({ topic: topics.controlIn, payload });
    await rig.until('done', () => rig.counters.get('commands_done') === 1);
  });
});

describe('a delay', () => {
  test.each([
    ['nothing', undefined, 0],
    ['"60"', '60', 60_000],
    ['no number', 'soon', 0],
    ['infinity', 'Infinity', 0],
    ['less than nothing', '-5', 0],
    ['more than an hour', '86400', 3_600_000],
  ])('reconnect with a delay of %s waits %d ms', async (_, delay, expected) => {
    const delays: number[] = [];
    const nothing = (): void => {};
    const commands = new Commands({
      done: openOnMemory().journal.done,
      actions: {
        pong: nothing,
        disconnect: nothing,
        reconnect: (wait) => void delays.push(wait),
        cancel: nothing,
      },
      connection: () => ({ since: 0, resumed: false }),
      whenUp: (act) => act(),
      counters: createCounters(),
      clock: systemClock,
      log: silentLogger,
    });
    const args = delay === undefined ? null : { delay };
    const payload = encodeCommand({ messageId: newId(), sent: Date.now() }, 'reconnect', args);
    commands.take(incoming({ topic: 'control/in', payload }));
    await expect.poll(() => delays).toEqual([expected]);
  });
});

describe('leaving', () => {
  test.each([
    ['"0.05"', '0.05'],
    ['0.05', 0.05],
    ['nothing', undefined],
    ['nonsense', 'soon'],
    ['less than nothing', -5],
  ])('reconnect with %s leaves with a goodbye and comes back', async (_, delay) => {
    const rig = await createRig();
    const connection = await online(rig);
    sendCommand(connection, 'reconnect', delay === undefined ? null : { delay });
    await rig.until('left', () => connection.closed);
    expect(connection.pubacks).toHaveLength(1);
    const words = said(connection, 'control/out').slice(-2);
    expect(words).toMatchObject([
      { type: 'event', content: 'disconnect' },
      { type: 'connection-status', content: { state: 'offline', dispatchers: {} } },
    ]);
    expect(connection.received.at(-1)?.cmd).toBe('disconnect');
    await online(rig, 1);
    expect(rig.of('client-disconnect')).toEqual([{ asked: true }]);
    expect(rig.of('client-connect')).toMatchObject([{ restored: false }, { restored: true }]);
  });

  test('the offline status is acknowledged before DISCONNECT', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    rig.broker.script.publish = () => 'silent';
    sendCommand(connection, 'disconnect');
    await rig.until('offline said', () => said(connection, 'control/out').length === 3);
    expect(connection.received.at(-1)?.cmd).toBe('publish');
    for (const { messageId } of connection.publishes.slice(-2))
      connection.send({ cmd: 'puback', messageId: messageId ?? 0 });
    await rig.until('left', () => connection.closed);
    expect(connection.received.at(-1)?.cmd).toBe('disconnect');
  });

  test('a broker that does not acknowledge the goodbye is left all the same', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    rig.broker.script.publish = () => 'silent';
    sendCommand(connection, 'disconnect');
    await rig.until('left', () => connection.closed);
  });

  test('disconnect stays away until it is told to come back', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    sendCommand(connection, 'disconnect');
    await rig.until('away', () => rig.router.link.kind === 'away');
    expect(rig.broker.connections).toHaveLength(1);
    rig.router.resume();
    await online(rig, 1);
    rig.router.resume();
    expect(rig.broker.connections).toHaveLength(2);
  });

  test('the last command decides whether it comes back', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    rig.broker.script.publish = () => 'silent';
    sendCommand(connection, 'reconnect');
    sendCommand(connection, 'disconnect');
    await rig.until('both acknowledged', () => connection.pubacks.length === 2);
    await rig.until('away', () => rig.router.link.kind === 'away');
    await stays(() => rig.router.link.kind !== 'away', { what: 'a return', span: 100 });
    rig.router.resume();
    await online(rig, 1);
  });

  test('to come back is heard also while it is leaving', async () => {
    const rig = await createRig();
    const connection = await online(rig);
    rig.broker.script.publish = () => 'silent';
    sendCommand(connection, 'disconnect');
    await rig.until('leaving', () => said(connection, 'control/out').length === 3);
    rig.router.resume();
    delete rig.broker.script.publish;
    await online(rig, 1);
  });

  test('disconnect-hold ends it by itself', async () => {
    const rig = await createRig({ router: { disconnectHold: 50 } });
    const connection = await online(rig);
    sendCommand(connection, 'disconnect');
    await rig.until('left', () => connection.closed);
    await online(rig, 1);
  });
});
