import { existsSync, readdirSync, readFileSync } from 'node:fs';
import path from 'node:path';
import { describe, expect, test } from 'vitest';
import { reply } from '../../helpers/http-content.ts';
import { createHouse, type House, type HouseOptions } from './house.ts';

async function detachedHouse(options: HouseOptions = {}): Promise<House> {
  const house = await createHouse(options);
  house.register('script', true);
  return house;
}

function addressOf(house: House, address: string): string {
  return JSON.stringify(`${house.server.origin}${address}`);
}

/** Waits for the pause before the next try and skips it. */
async function skipPause(house: House, calls: number): Promise<number> {
  await expect.poll(() => house.server.calls.length).toBe(calls);
  const pause = (): number | undefined => house.clock.waits.find((wait) => wait !== 5_000 && wait < 600_000);
  await expect.poll(pause).toBeDefined();
  const wait = pause() ?? 0;
  house.clock.wind(wait);
  return wait;
}

describe('content', () => {
  test('is fetched to a file and passed on', async () => {
    const house = await detachedHouse();
    house.server.on('/a', reply(200, 'print(1)'));
    const { sequence } = house.admit({ directive: 'script' }, addressOf(house, '/a'));
    expect(await house.expectSignals('data-process', 1)).toEqual([
      { sequence, directive: 'script', cancel: false },
    ]);
    const row = house.journal.requests.get(sequence);
    expect(row).toMatchObject({ state: 'fetched', size: 8 });
    expect(readFileSync(path.join(house.journal.contentDirectory, row?.contentFile ?? ''), 'utf8')).toBe(
      'print(1)',
    );
    expect(house.datastore.messages.get(sequence)?.state).toBe('fetched');
    expect(house.counters.get('contents_fetched')).toBe(1);
  });

  test.each([
    '{"url":"https://example.com/"}',
    '7',
    'null',
    'https://example.com/',
    '"ftp://example.com/"',
    '""',
  ])('%s is no address: dead at once', async (content) => {
    const house = await detachedHouse();
    const { sequence } = house.admit({ directive: 'script' }, content);
    expect(await house.expectSignals('message-settle', 1)).toEqual([
      { sequence, directive: 'script', outcome: 'dead' },
    ]);
    expect(house.journal.deaths.get(sequence)?.reason).toBe('content-failed');
    expect(house.datastore.messages.size).toBe(0);
    expect(house.counters.get('messages_dead')).toBe(1);
    expect(house.counters.get('contents_failed')).toBe(1);
  });

  test('of a host that may not be reached: dead, and the line to add is in the reason', async () => {
    const house = await detachedHouse({ contentHosts: [] });
    const { sequence } = house.admit({ directive: 'script' }, addressOf(house, '/a'));
    await house.expectSignals('message-settle', 1);
    expect(house.journal.deaths.get(sequence)?.message).toContain('content-hosts = ["127.0.0.1"]');
    expect(house.server.calls).toEqual([]);
  });

  test('whose address is damaged on disk: dead at once', async () => {
    const house = await detachedHouse();
    const row = house.journal.addRequest({ directive: 'script' }, addressOf(house, '/a'));
    house.journal.damaged.add(row.sequence);
    house.datastore.messages.add({ ...row, slot: true });
    await house.signals.emit('data-recv', row);
    await house.expectSignals('message-settle', 1);
    expect(house.journal.deaths.get(row.sequence)?.message).toContain('damaged');
  });

  test('too large: dead at once', async () => {
    const house = await detachedHouse();
    house.server.on('/a', reply(200, 'x'.repeat(1_001)));
    const { sequence } = house.admit({ directive: 'script' }, addressOf(house, '/a'));
    await house.expectSignals('message-settle', 1);
    expect(house.journal.deaths.get(sequence)).toMatchObject({ reason: 'content-failed' });
    expect(house.journal.deaths.get(sequence)?.message).toContain('max-content-size');
    expect(readdirSync(house.journal.contentDirectory)).toEqual([]);
  });

  test('404: one more try, then dead', async () => {
    const house = await detachedHouse();
    const { sequence } = house.admit({ directive: 'script' }, addressOf(house, '/a'));
    await skipPause(house, 1);
    await house.expectSignals('message-settle', 1);
    expect(house.server.calls).toHaveLength(2);
    expect(house.journal.deaths.get(sequence)?.message).toContain('404');
  });

  test('500: five more tries, then dead', async () => {
    const house = await detachedHouse();
    house.server.on('/a', reply(500));
    const { sequence } = house.admit({ directive: 'script' }, addressOf(house, '/a'));
    for (let tries = 1; tries <= 5; tries += 1) await skipPause(house, tries);
    await house.expectSignals('message-settle', 1);
    expect(house.server.calls).toHaveLength(6);
    expect(house.journal.deaths.get(sequence)?.reason).toBe('content-failed');
  });

  test('503 for a while: the Retry-After is kept', async () => {
    const house = await detachedHouse();
    house.server.on('/a', reply(503, '', { 'retry-after': '77' }));
    house.admit({ directive: 'script' }, addressOf(house, '/a'));
    await expect.poll(() => house.clock.waits).toContain(77_000);
    house.server.on('/a', reply(200, 'x'));
    house.clock.wind(77_000);
    await house.expectSignals('data-process', 1);
  });

  test('is fetched once however often the request is announced', async () => {
    const house = await detachedHouse();
    let answer = (): void => {};
    house.server.on('/a', (_, response) => {
      answer = () => response.end('x');
    });
    const { sequence, directive } = house.admit({ directive: 'script' }, addressOf(house, '/a'));
    await expect.poll(() => house.server.calls.length).toBe(1);
    await house.signals.emit('data-recv', { sequence, directive, cancel: false });
    answer();
    await house.expectSignals('data-process', 1);
    await house.signals.emit('data-recv', { sequence, directive, cancel: false });
    await house.expectSignals('data-process', 2);
    expect(house.server.calls).toHaveLength(1);
  });

  test('whose worker went away meanwhile is kept for the next one', async () => {
    const house = await detachedHouse();
    let answer = (): void => {};
    house.server.on('/a', (_, response) => {
      answer = () => response.end('x');
    });
    const { sequence } = house.admit({ directive: 'script' }, addressOf(house, '/a'));
    await expect.poll(() => house.server.calls.length).toBe(1);
    house.datastore.messages.remove(sequence);
    answer();
    await expect.poll(() => house.journal.requests.get(sequence)?.state).toBe('fetched');
    expect(house.seen('data-process')).toEqual([]);
  });

  test('whose worker went away is not tried again', async () => {
    const house = await detachedHouse();
    house.server.on('/a', reply(500));
    const { sequence } = house.admit({ directive: 'script' }, addressOf(house, '/a'));
    await expect.poll(() => house.clock.waits).toContain(1_000);
    house.datastore.messages.remove(sequence);
    house.clock.wind(1_000);
    house.server.on('/b', reply(200));
    house.admit({ directive: 'script' }, addressOf(house, '/b'));
    await house.expectSignals('data-process', 1);
    expect(house.server.callsTo('/a')).toHaveLength(1);
    expect(house.journal.requests.get(sequence)?.state).toBe('received');
  });
});

describe('places', () => {
  test('two of a directive at a time, and one directive delays no other', async () => {
    const house = await detachedHouse();
    house.register('other', true);
    const answers: Array<() => void> = [];
    house.server.on('/slow', (_, response) => void answers.push(() => response.end()));
    house.server.on('/quick', reply(200));
    for (let count = 0; count < 4; count += 1)
      house.admit({ directive: 'script' }, addressOf(house, '/slow'));
    await expect.poll(() => answers.length).toBe(2);
    house.admit({ directive: 'other' }, addressOf(house, '/quick'));
    expect(await house.expectSignals('data-process', 1)).toMatchObject([{ directive: 'other' }]);
    expect(answers).toHaveLength(2);
    answers[0]?.();
    await expect.poll(() => answers.length).toBe(3);
  });

  test('a pause before the next try takes no place', async () => {
    const house = await detachedHouse();
    house.server.on('/failing', reply(500));
    house.server.on('/quick', reply(200));
    for (let count = 0; count < 3; count += 1)
      house.admit({ directive: 'script' }, addressOf(house, '/failing'));
    house.admit({ directive: 'script' }, addressOf(house, '/quick'));
    await house.expectSignals('data-process', 1);
    expect(house.clock.waits.filter((wait) => wait === 1_000)).toHaveLength(3);
  });

  test('a full inbox: one directive in work fetches no more until there is room', async () => {
    const house = await detachedHouse();
    house.server.on('/a', reply(200));
    house.admit({ directive: 'script' }, addressOf(house, '/a'));
    await house.expectSignals('data-process', 1);
    house.journal.inboxBytes = 1_000;
    house.admit({ directive: 'script' }, addressOf(house, '/a'));
    house.register('other', true);
    house.admit({ directive: 'other' }, addressOf(house, '/a'));
    await house.expectSignals('data-process', 2);
    expect(house.seen('data-process').map(({ directive }) => directive)).toEqual(['script', 'other']);
    house.journal.inboxBytes = 0;
    await expect.poll(() => house.clock.waits.filter((wait) => wait === 5_000).length).toBe(2);
    house.clock.wind(5_000);
    await house.expectSignals('data-process', 3);
    expect(house.counters.get('contents_failed')).toBe(0);
  });
});

describe('cancelled by command', () => {
  test('while it is fetched: cut off and dead', async () => {
    const house = await detachedHouse();
    house.server.on('/a', (_, response) => void response.writeHead(200).write('x'));
    const { sequence, messageId } = house.admit({ directive: 'script' }, addressOf(house, '/a'));
    await expect.poll(() => house.server.calls.length).toBe(1);
    await house.signals.emit('message-cancel', { directive: 'script', messageId: 'another' });
    await house.signals.emit('message-cancel', { directive: 'script', messageId });
    expect(await house.expectSignals('message-settle', 1)).toEqual([
      { sequence, directive: 'script', outcome: 'dead' },
    ]);
    expect(house.journal.deaths.get(sequence)?.reason).toBe('cancelled');
    await expect.poll(() => readdirSync(house.journal.contentDirectory)).toEqual([]);
    expect(house.seen('data-process')).toEqual([]);
  });

  test('between two tries', async () => {
    const house = await detachedHouse();
    house.server.on('/a', reply(500));
    const { sequence, messageId } = house.admit({ directive: 'script' }, addressOf(house, '/a'));
    await expect.poll(() => house.clock.waits).toContain(1_000);
    await house.signals.emit('message-cancel', { directive: 'script', messageId });
    await house.expectSignals('message-settle', 1);
    expect(house.journal.deaths.get(sequence)?.reason).toBe('cancelled');
    expect(house.clock.waits).not.toContain(1_000);
  });

  test('while it waits for a place', async () => {
    const house = await detachedHouse();
    house.server.on('/a', () => {});
    house.admit({ directive: 'script' }, addressOf(house, '/a'));
    house.admit({ directive: 'script' }, addressOf(house, '/a'));
    const { sequence, messageId } = house.admit({ directive: 'script' }, addressOf(house, '/never'));
    await expect.poll(() => house.server.calls.length).toBe(2);
    await house.signals.emit('message-cancel', { directive: 'script', messageId });
    expect(await house.expectSignals('message-settle', 1)).toMatchObject([{ sequence }]);
  });
});

describe('a message that cancels another', () => {
  test('goes on at once while the directive is busy', async () => {
    const house = await detachedHouse();
    house.server.on('/slow', () => {});
    house.server.on('/cancel', reply(200, 'why'));
    for (let count = 0; count < 3; count += 1)
      house.admit({ directive: 'script' }, addressOf(house, '/slow'));
    const { sequence } = house.admit({ directive: 'script', cancel: true }, addressOf(house, '/cancel'));
    expect(await house.expectSignals('data-process', 1)).toEqual([
      { sequence, directive: 'script', cancel: true },
    ]);
    expect(house.journal.requests.get(sequence)?.size).toBe(3);
  });

  test.each(['/missing', 'no address'])('goes on empty when its content cannot be had: %s', async (where) => {
    const house = await detachedHouse();
    const content = where.startsWith('/') ? addressOf(house, where) : where;
    const { sequence } = house.admit({ directive: 'script', cancel: true }, content);
    expect(await house.expectSignals('data-process', 1)).toEqual([
      { sequence, directive: 'script', cancel: true },
    ]);
    const row = house.journal.requests.get(sequence);
    expect(row).toMatchObject({ state: 'fetched', size: 0 });
    expect(existsSync(path.join(house.journal.contentDirectory, row?.contentFile ?? 'none'))).toBe(true);
    expect(house.server.calls.length).toBeLessThanOrEqual(1);
  });
});
