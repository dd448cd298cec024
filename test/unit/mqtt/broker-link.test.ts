import { describe, expect, test } from 'vitest';
import { YggError } from '../../../src/base/errors.ts';
import { BrokerLink, type LinkUp } from '../../../src/mqtt/broker-link.ts';
import type { Connected, Connector, Receiver } from '../../../src/mqtt/connector.ts';
import { HandClock } from '../../helpers/hand-clock.ts';

/** Every attempt waits until the test says how it ends. */
class FakeConnector implements Connector {
  readonly attempts: Array<{
    readonly receiver: Receiver;
    succeed(connected?: Partial<Connected>): void;
    fail(code: 'YGG_BROKER_REFUSED' | 'YGG_BROKER_UNREACHABLE'): void;
  }> = [];
  closes = 0;
  #receiver: Receiver | undefined;

  connect(receiver: Receiver, { abort }: { readonly abort: AbortSignal }): Promise<Connected> {
    let ended: () => void = () => {};
    const over = new Promise<void>((resolve) => {
      ended = resolve;
    });
    return new Promise<Connected>((resolve, reject) => {
      const onAbort = (): void => reject(abort.reason);
      abort.addEventListener('abort', onAbort);
      void over.then(() => abort.removeEventListener('abort', onAbort));
      this.attempts.push({
        receiver,
        succeed: (connected = {}) => {
          this.#receiver = receiver;
          resolve({ broker: 'mqtt://broker', sessionPresent: false, ...connected });
        },
        fail: (code) => reject(new YggError(code, 'No.')),
      });
    }).finally(ended);
  }

  publish(): Promise<void> {
    return Promise.resolve();
  }

  close(): Promise<void> {
    this.closes += 1;
    this.#receiver?.onClose(new YggError('YGG_BROKER_LOST', 'Closed.'));
    this.#receiver = undefined;
    return Promise.resolve();
  }
}

function create({ lostBefore = false, cap = 60_000 } = {}) {
  const clock = new HandClock();
  const connector = new FakeConnector();
  const ups: LinkUp[] = [];
  const downs: boolean[] = [];
  const waits: number[] = [];
  const link = new BrokerLink({
    connector,
    clock,
    random: () => 0.999,
    floor: 500,
    cap,
    lostBefore,
    will: () => Buffer.from('will'),
    events: {
      onMessage: () => {},
      onUnheard: () => {},
      onUp: (up) => void ups.push(up),
      onDown: ({ asked }) => void downs.push(asked),
      onFailure: ({ wait }) => void waits.push(wait),
    },
  });
  const turn = async (): Promise<void> => {
    for (let index = 0; index < 5; index += 1) await new Promise((resolve) => setImmediate(resolve));
  };
  const last = () => {
    const attempt = connector.attempts.at(-1);
    if (!attempt) throw new Error('no attempt');
    return attempt;
  };
  return { clock, connector, link, ups, downs, waits, turn, last };
}

describe('BrokerLink', () => {
  test('tries for ever, at growing distances up to the cap', async () => {
    const { clock, connector, link, waits, turn, last } = create();
    link.join();
    for (let index = 0; index < 12; index += 1) {
      last().fail('YGG_BROKER_UNREACHABLE');
      await turn();
      expect(link.state.kind).toBe('waiting');
      clock.wind(waits.at(-1) ?? 0);
      await turn();
    }
    expect(connector.attempts).toHaveLength(13);
    expect(waits.slice(0, 3)).toEqual([1_000, 1_999, 3_997]);
    expect(waits.slice(-2)).toEqual([59_941, 59_941]);
  });

  test('is slower after a refusal, but never beyond the cap', async () => {
    const { link, waits, turn, last } = create();
    link.join();
    last().fail('YGG_BROKER_REFUSED');
    await turn();
    expect(waits).toEqual([10_000]);
    const capped = create({ cap: 2_000 });
    capped.link.join();
    capped.last().fail('YGG_BROKER_REFUSED');
    await capped.turn();
    expect(capped.waits).toEqual([2_000]);
  });

  test('begins with short waits again only after the connection was stable', async () => {
    const { clock, link, downs, turn, last } = create();
    const until = (): number => (link.state.kind === 'waiting' ? link.state.until - clock.now() : 0);
    link.join();
    const loseAfter = async (span: number): Promise<number> => {
      last().succeed();
      await turn();
      clock.wind(span);
      last().receiver.onClose(new Error('gone'));
      await turn();
      const wait = until();
      clock.wind(wait);
      await turn();
      return wait;
    };
    expect(await loseAfter(10)).toBe(1_000);
    expect(await loseAfter(29_999)).toBe(1_999);
    expect(await loseAfter(30_000)).toBe(1_000);
    expect(downs).toEqual([false, false, false]);
  });

  test('says since when there is a connection, or none', async () => {
    const { clock, link, turn, last } = create();
    const begin = clock.now();
    clock.wind(100);
    link.join();
    expect(link.state).toEqual({ kind: 'connecting', since: begin });
    last().succeed();
    await turn();
    expect(link.state).toMatchObject({ kind: 'connected', since: begin + 100 });
    clock.wind(5_000);
    last().receiver.onClose(new Error('gone'));
    await turn();
    clock.wind(1_000);
    await turn();
    expect(link.state).toEqual({ kind: 'connecting', since: begin + 5_100 });
    last().fail('YGG_BROKER_UNREACHABLE');
    await turn();
    expect(link.state).toMatchObject({ kind: 'waiting', since: begin + 5_100, reason: 'No.' });
  });

  test('knows whether the connection before was lost', async () => {
    const { clock, connector, link, ups, turn, last } = create({ lostBefore: true });
    link.join();
    last().succeed({ sessionPresent: true });
    await turn();
    expect(link.state).toMatchObject({ kind: 'connected', broker: 'mqtt://broker', resumed: true });
    last().receiver.onClose(new Error('gone'));
    await turn();
    clock.wind(1_000);
    await turn();
    last().succeed();
    await turn();
    await link.renew();
    await turn();
    last().succeed();
    await turn();
    expect(ups.map(({ afterLoss }) => afterLoss)).toEqual([true, true, false]);
    expect(connector.attempts).toHaveLength(3);
  });

  test('a new connection that is asked for comes at once', async () => {
    const { connector, link, downs, turn, last } = create();
    link.join();
    last().succeed();
    await turn();
    await link.renew();
    await turn();
    expect(connector.attempts).toHaveLength(2);
    expect(downs).toEqual([true]);
  });

  test('asked for during an attempt, it is made after it, and the first is not reported', async () => {
    const { connector, link, ups, turn, last } = create();
    link.join();
    await link.renew();
    last().succeed();
    await turn();
    expect(connector.closes).toBe(1);
    expect(connector.attempts).toHaveLength(2);
    expect(ups).toEqual([]);
    await link.renew();
    last().fail('YGG_BROKER_REFUSED');
    await turn();
    expect(connector.attempts).toHaveLength(3);
    last().succeed();
    await turn();
    expect(ups).toHaveLength(1);
    expect(link.state.kind).toBe('connected');
    await link.leave();
  });

  test.each(['wake', 'renew'] as const)('%s ends a wait', async (ask) => {
    const { clock, connector, link, turn, last } = create();
    link.join();
    last().fail('YGG_BROKER_UNREACHABLE');
    await turn();
    expect(link.state.kind).toBe('waiting');
    await link[ask]();
    await turn();
    expect(connector.attempts).toHaveLength(2);
    expect(clock.waits).toEqual([]);
    last().succeed();
    await turn();
    expect(connector.attempts).toHaveLength(2);
    expect(link.state.kind).toBe('connected');
    await link.leave();
  });

  test('left while it renews, it takes the next loss for what it is', async () => {
    const { clock, link, ups, downs, turn, last } = create();
    link.join();
    last().succeed();
    await turn();
    await Promise.all([link.renew(), link.leave()]);
    link.join();
    last().succeed();
    await turn();
    last().receiver.onClose(new Error('gone'));
    await turn();
    expect(link.state.kind).toBe('waiting');
    expect(downs).toEqual([true, false]);
    clock.wind(1_000);
    await turn();
    last().succeed();
    await turn();
    expect(ups.at(-1)?.afterLoss).toBe(true);
    await link.leave();
  });

  test.each(['connecting', 'waiting', 'connected'])(
    'can be left while %s, and joined again',
    async (kind) => {
      const { connector, link, turn, last } = create();
      link.join();
      link.join();
      if (kind === 'waiting') last().fail('YGG_BROKER_UNREACHABLE');
      if (kind === 'connected') last().succeed();
      await turn();
      expect(link.state.kind).toBe(kind);
      await link.leave();
      expect(link.state.kind).toBe('away');
      expect(connector.attempts).toHaveLength(1);
      link.join();
      expect(connector.attempts).toHaveLength(2);
      last().succeed();
      await turn();
      expect(link.state.kind).toBe('connected');
      await link.leave();
    },
  );
});
