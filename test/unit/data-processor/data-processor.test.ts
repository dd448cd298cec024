import { describe, expect, test } from 'vitest';
import { flowConsumers } from '../../../src/signals.ts';
import { reply } from '../../helpers/http-content.ts';
import { createHouse, never } from './house.ts';

test('consumes the signals that are declared for it and no others', async () => {
  const house = await createHouse();
  const declared = Object.entries(flowConsumers).filter(([, parts]) => parts.includes('data-processor'));
  for (const [signal, parts] of Object.entries(flowConsumers)) {
    for (const part of parts) {
      if (part !== 'data-processor') house.signals.on(signal as keyof typeof flowConsumers, part, () => {});
    }
  }
  expect(declared).toHaveLength(3);
  expect(() => house.signals.check()).not.toThrow();
});

describe('a request', () => {
  test('for a worker that takes content as it is passes at once', async () => {
    const house = await createHouse();
    house.register('echo', false);
    const { sequence } = house.admit({ directive: 'echo', state: 'offered' }, '"https://example.com/"');
    expect(await house.expectSignals('data-process', 1)).toEqual([
      { sequence, directive: 'echo', cancel: false },
    ]);
    expect(house.journal.requests.get(sequence)?.state).toBe('offered');
  });

  test('whose worker is gone passes: the Dispatcher settles it', async () => {
    const house = await createHouse();
    house.admit({ directive: 'echo' }, '1');
    await house.expectSignals('data-process', 1);
  });

  test('that left the store on its way is forgotten', async () => {
    const house = await createHouse();
    house.register('echo', false);
    house.datastore.messages.remove(house.admit({ directive: 'echo' }, '1').sequence);
    house.admit({ directive: 'echo' }, '2');
    expect(await house.expectSignals('data-process', 1)).toHaveLength(1);
  });

  test('whose content was fetched before passes without another request', async () => {
    const house = await createHouse();
    house.register('echo', true);
    const fetched = { directive: 'echo', state: 'fetched', contentFile: '7.content' } as const;
    house.admit(fetched, JSON.stringify(`${house.server.origin}/a`));
    await house.expectSignals('data-process', 1);
    expect(house.server.calls).toEqual([]);
  });

  test('that was offered already to a worker of the other kind goes back', async () => {
    const house = await createHouse();
    house.register('echo', true);
    const { sequence } = house.admit({ directive: 'echo', state: 'offered' }, '"x"');
    expect(await house.expectSignals('message-settle', 1)).toEqual([
      { sequence, directive: 'echo', outcome: 'back' },
    ]);
    expect(house.journal.requests.get(sequence)?.state).toBe('received');
    expect(house.datastore.messages.size).toBe(0);
  });
});

describe('stopping', () => {
  test('quiet starts no fetch', async () => {
    const house = await createHouse();
    house.register('script', true);
    await house.part.drain?.('quiet', never);
    house.admit({ directive: 'script' }, JSON.stringify(`${house.server.origin}/a`));
    house.register('echo', false);
    house.admit({ directive: 'echo' }, '1');
    await house.expectSignals('data-process', 1);
    expect(house.server.calls).toEqual([]);
  });

  test('goodbye waits for what can be posted, not for what waits for a better time', async () => {
    const house = await createHouse();
    let answer = (): void => {};
    house.server.on('/slow', (_, response) => {
      answer = () => response.writeHead(200).end();
    });
    house.server.on('/failing', reply(500));
    house.journal.addResponse({ directive: `${house.server.origin}/failing`, responseTo: 'a' });
    house.journal.addResponse({ directive: `${house.server.origin}/slow`, responseTo: 'b' });
    const drained = house.part.drain?.('goodbye', never);
    let over = false;
    void drained?.then(() => {
      over = true;
    });
    await expect.poll(() => house.server.callsTo('/slow').length).toBe(1);
    await expect.poll(() => house.server.callsTo('/failing').length).toBe(1);
    expect(over).toBe(false);
    answer();
    await drained;
    expect(house.seen('message-send')).toHaveLength(1);
    expect(house.journal.responses.size).toBe(1);
  });

  test('goodbye ends with its time', async () => {
    const house = await createHouse();
    house.server.on('/never', () => {});
    house.journal.addResponse({ directive: `${house.server.origin}/never` });
    const abort = new AbortController();
    const drained = house.part.drain?.('goodbye', abort.signal);
    await expect.poll(() => house.server.calls.length).toBe(1);
    abort.abort();
    await drained;
  });

  test('stop cuts everything off and leaves it on disk', async () => {
    const house = await createHouse();
    house.register('script', true);
    house.server.on('/get', () => {});
    house.server.on('/post', () => {});
    const { sequence } = house.admit({ directive: 'script' }, JSON.stringify(`${house.server.origin}/get`));
    const response = house.journal.addResponse({ directive: `${house.server.origin}/post` });
    house.signals.nudge('data-return', response);
    await expect.poll(() => house.server.calls.length).toBe(2);
    await house.part.stop(never);
    expect(house.journal.requests.get(sequence)?.state).toBe('received');
    expect(house.journal.responses.get(response.sequence)).toEqual(response);
    expect(house.journal.deaths.size).toBe(0);
    expect(house.clock.waits).toEqual([]);
  });
});
