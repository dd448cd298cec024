import { describe, expect, test } from 'vitest';
import type { ResponseRow } from '../../../src/journal/journal.ts';
import { reply, startContentServer } from '../../helpers/http-content.ts';
import { freePort } from '../../helpers/loopback.ts';
import { testScope } from '../../helpers/test-scope.ts';
import { stays } from '../../helpers/wait-for.ts';
import { createHouse, type House } from './house.ts';

interface Sent {
  readonly to: string;
  readonly responseTo?: string;
  readonly handler?: string;
  readonly content?: string;
  readonly metadata?: Record<string, string>;
  readonly failures?: number;
  readonly returnedAt?: number;
}

/** A worker sends a response; `to` is a path on the content server, an address, or a name. */
function send(house: House, { to, content = 'x', metadata, ...row }: Sent): ResponseRow {
  const directive = to.startsWith('/') ? `${house.server.origin}${to}` : to;
  const response = house.journal.addResponse(
    { responseTo: 'request', handler: 'script', ...row, directive },
    { content: Buffer.from(content), metadata: metadata ?? null },
  );
  house.signals.nudge('data-return', response);
  return response;
}

/** The broker acknowledged it. */
function publish(house: House, { sequence, messageId }: ResponseRow): void {
  house.journal.responses.delete(sequence);
  void house.signals.emit('message-send', { sequence, messageId });
}

function bodies(house: House, path: string): string[] {
  return house.server.callsTo(path).map((call) => call.body.toString());
}

/** Lets the next tries begin; `count` requests have come by then. */
async function tryAgain(house: House, pause: number, count: number): Promise<void> {
  await expect.poll(() => house.clock.waits).toContain(pause);
  house.clock.wind(pause);
  await expect.poll(() => house.server.calls.length).toBe(count);
}

describe('a response', () => {
  test('to a name is handed on to be published', async () => {
    const house = await createHouse();
    const { sequence } = send(house, { to: 'echo' });
    const empty = send(house, { to: '' });
    expect(await house.expectSignals('data-consume', 2)).toEqual([
      { sequence },
      { sequence: empty.sequence },
    ]);
  });

  test('to an address is posted with its metadata as headers', async () => {
    const house = await createHouse();
    house.server.on('/a', reply(202, 'thanks', { 'x-answer': '1' }));
    const metadata = {
      job_uuid: 'ab',
      'X-Job': ' 7 ',
      Host: 'evil',
      'Content-Length': '99',
      'bad name': 'x',
    };
    const { sequence, messageId } = send(house, { to: '/a', content: 'output', metadata });
    expect(await house.expectSignals('message-send', 1)).toEqual([{ sequence, messageId }]);
    const [call] = house.server.calls;
    expect(call?.method).toBe('POST');
    expect(call?.body.toString()).toBe('output');
    expect(call?.headers).toEqual({
      host: house.server.host,
      connection: 'keep-alive',
      job_uuid: 'ab',
      'x-job': '7',
      'user-agent': 'yggd/1.2.3',
      'content-length': '6',
    });
    const [result] = await house.expectSignals('data-deliver', 1);
    expect(result).toMatchObject({ sequence, status: 202, headers: { 'x-answer': '1' } });
    expect(Buffer.from(result?.body ?? []).toString()).toBe('thanks');
    expect(house.journal.responses.size).toBe(0);
    expect(house.counters.get('responses_posted')).toBe(1);
    expect(house.warnings).toEqual([{ message_id: messageId, headers: ['bad name'] }]);
    expect(house.seen('data-consume')).toEqual([]);
  });

  test('left from the last run is sent on at the start', async () => {
    const house = await createHouse({ asleep: true });
    house.server.on('/a', reply(200));
    const total = 200;
    for (let count = 0; count < total; count += 1) {
      house.journal.addResponse({
        directive: count % 2 ? 'echo' : `${house.server.origin}/a`,
        responseTo: `${count}`,
      });
    }
    await house.part.init(new AbortController().signal);
    await house.part.run?.();
    await house.expectSignals('data-consume', total / 2);
    await house.expectSignals('message-send', total / 2);
  });

  test('is found by and by when its nudge was lost', async () => {
    const house = await createHouse();
    house.journal.addResponse({ directive: 'echo' });
    house.clock.wind(5_000);
    await house.expectSignals('data-consume', 1);
  });

  test.each(['ftp://example.com/', 'https://', 'http://127.0.0.1:1/'])(
    'to an address that may not be used, %s, is a dead letter at once',
    async (to) => {
      const house = await createHouse();
      const { sequence } = send(house, { to });
      await expect.poll(() => house.journal.deaths.get(sequence)?.reason).toBe('delivery-failed');
      expect(house.counters.get('responses_dead')).toBe(1);
    },
  );

  test('whose content is damaged is not posted without it', async () => {
    const house = await createHouse();
    const { sequence } = house.journal.addResponse({ directive: `${house.server.origin}/a` });
    house.journal.damaged.add(sequence);
    house.signals.nudge('data-return', { sequence });
    await expect.poll(() => house.journal.deaths.get(sequence)?.reason).toBe('internal');
    expect(house.server.calls).toEqual([]);
  });

  test('whose lane is full of such addresses leaves it, however many they are', async () => {
    const house = await createHouse();
    for (let count = 0; count < 20_000; count += 1)
      house.journal.addResponse({ directive: 'ftp://x/', responseTo: 'a' });
    const { sequence } = send(house, { to: 'echo', responseTo: 'a' });
    expect(await house.expectSignals('data-consume', 1)).toEqual([{ sequence }]);
    expect(house.journal.deaths.size).toBe(20_000);
  });
});

describe('tries', () => {
  test('500: again with a growing pause, until it works', async () => {
    const house = await createHouse();
    house.server.on('/a', reply(500));
    send(house, { to: '/a' });
    await expect.poll(() => house.server.calls.length).toBe(1);
    await tryAgain(house, 1_000, 2);
    house.server.on('/a', reply(200));
    await tryAgain(house, 1_000, 3);
    await house.expectSignals('message-send', 1);
    expect(house.seen('data-deliver')).toHaveLength(1);
  });

  test('until it is a day old', async () => {
    const house = await createHouse();
    house.server.on('/a', reply(500));
    const { sequence } = send(house, { to: '/a', returnedAt: house.clock.now() - 86_400_000 + 1_500 });
    await tryAgain(house, 1_000, 2);
    await tryAgain(house, 1_000, 3);
    await expect.poll(() => house.journal.deaths.get(sequence)).toMatchObject({ reason: 'delivery-failed' });
    expect(house.journal.deaths.get(sequence)?.message).toContain('500');
    expect(house.server.calls).toHaveLength(3);
  });

  test('until it is as old as it may be since a reload', async () => {
    const house = await createHouse();
    house.server.on('/a', reply(500));
    const { sequence } = send(house, { to: '/a', returnedAt: house.clock.now() - 120_000 });
    await tryAgain(house, 1_000, 2);
    house.options.httpRetryAge = 60_000;
    await tryAgain(house, 1_000, 3);
    await expect.poll(() => house.journal.deaths.get(sequence)).toMatchObject({ reason: 'delivery-failed' });
    expect(house.server.calls).toHaveLength(3);
  });

  test('an answer that looks final: as often as it may be since a reload', async () => {
    const house = await createHouse();
    house.server.on('/a', reply(404));
    const { sequence } = send(house, { to: '/a' });
    await tryAgain(house, 1_000, 2);
    house.options.httpRetries = 3;
    await tryAgain(house, 1_000, 3);
    await expect.poll(() => house.journal.deaths.get(sequence)?.reason).toBe('delivery-failed');
  });

  test('an answer that looks final: five times, over restarts too', async () => {
    const house = await createHouse();
    house.server.on('/a', reply(404, 'no such job'));
    const { sequence } = send(house, { to: '/a', failures: 2 });
    await tryAgain(house, 1_000, 2);
    expect(house.journal.responses.get(sequence)?.failures).toBe(4);
    await tryAgain(house, 1_000, 3);
    await expect.poll(() => house.journal.deaths.get(sequence)?.reason).toBe('delivery-failed');
    expect(await house.expectSignals('data-deliver', 3)).toMatchObject([
      { status: 404 },
      { status: 404 },
      { status: 404 },
    ]);
  });

  test('with no retries an answer that looks final is the last one', async () => {
    const house = await createHouse({ httpRetries: 0 });
    const { sequence } = send(house, { to: '/missing' });
    await expect.poll(() => house.journal.deaths.get(sequence)?.reason).toBe('delivery-failed');
  });

  test('a redirect looks final and is not followed', async () => {
    const house = await createHouse();
    house.server.on('/a', reply(302, '', { location: `${house.server.origin}/b` }));
    const { sequence } = send(house, { to: '/a', failures: 4 });
    await expect
      .poll(() => house.journal.deaths.get(sequence)?.message)
      .toContain('redirects are not followed');
    expect(house.server.callsTo('/b')).toEqual([]);
  });

  test('429 and 503: the whole host is left alone for as long as it asks', async () => {
    const house = await createHouse();
    house.server.on('/a', reply(429, '', { 'retry-after': '90' }));
    house.server.on('/b', reply(200));
    send(house, { to: '/a', responseTo: 'a' });
    await expect.poll(() => house.clock.waits).toContain(90_000);
    send(house, { to: '/b', responseTo: 'b' });
    await stays(() => house.server.calls.length > 1, { what: 'a request', span: 50 });
    house.server.on('/a', reply(200));
    house.clock.wind(90_000);
    await house.expectSignals('message-send', 2);
  });

  test('a host that asks for a week is asked again after ten minutes', async () => {
    const house = await createHouse();
    house.server.on('/a', reply(503, '', { 'retry-after': '604800' }));
    send(house, { to: '/a' });
    await expect.poll(() => house.clock.waits).toContain(600_000);
  });

  test('one response that always fails does not hold up another to the same host', async () => {
    const house = await createHouse();
    house.server.on('/bad', reply(500));
    house.server.on('/good', reply(200));
    send(house, { to: '/bad', responseTo: 'a' });
    send(house, { to: '/good', responseTo: 'b' });
    await house.expectSignals('message-send', 1);
  });
});

describe('hosts', () => {
  test('a dead one is probed by one response at a time and stalls no other', async () => {
    const house = await createHouse({ contentHosts: ['127.0.0.1'] });
    const dead = `http://127.0.0.1:${await freePort()}/`;
    for (let count = 0; count < 100; count += 1) send(house, { to: dead, responseTo: `dead ${count}` });
    house.server.on('/a', reply(200));
    for (let count = 0; count < 100; count += 1) send(house, { to: '/a', responseTo: `live ${count}` });
    await house.expectSignals('message-send', 100);
    expect(house.journal.responses.size).toBe(100);
    expect(house.clock.waits.filter((wait) => wait !== 5_000)).toEqual([1_000]);
  });

  test('what grows too old behind a dead one dies without a probe of its own', async () => {
    const house = await createHouse({ contentHosts: ['127.0.0.1'] });
    const dead = `http://127.0.0.1:${await freePort()}/`;
    for (let count = 0; count < 10; count += 1) send(house, { to: dead, responseTo: `${count % 5}` });
    await expect.poll(() => house.clock.waits).toContain(1_000);
    house.clock.wind(86_400_000);
    await expect.poll(() => house.journal.deaths.size).toBe(10);
    expect(house.journal.responses.size).toBe(0);
  });

  test('four requests at a time to one host', async () => {
    const house = await createHouse();
    const answers: Array<() => void> = [];
    house.server.on('/a', (_, response) => void answers.push(() => response.end()));
    for (let count = 0; count < 6; count += 1) send(house, { to: '/a', responseTo: `${count}` });
    await expect.poll(() => answers.length).toBe(4);
    await stays(() => answers.length > 4, { what: 'a fifth request', span: 50 });
    for (const answer of answers) answer();
    await expect.poll(() => answers.length).toBe(6);
    for (const answer of answers) answer();
    await house.expectSignals('message-send', 6);
  });

  test('to many hosts at the same time there is no warning of Node', async () => {
    const scope = testScope();
    const servers = await Promise.all([1, 2, 3].map(() => startContentServer(scope)));
    const house = await createHouse({ contentHosts: servers.map(({ host }) => host) });
    const answers: Array<() => void> = [];
    for (const { origin, on } of servers) {
      on('/a', (_, response) => void answers.push(() => response.end()));
      for (let count = 0; count < 4; count += 1)
        send(house, { to: `${origin}/a`, responseTo: `${origin}${count}` });
    }
    await expect.poll(() => answers.length).toBe(12);
    for (const answer of answers) answer();
    await house.expectSignals('message-send', 12);
  });
});

describe('order', () => {
  test('posts of one worker to one message arrive one after the other', async () => {
    const house = await createHouse();
    const answers: Array<() => void> = [];
    house.server.on('/a', (_, response) => void answers.push(() => response.end()));
    for (const content of ['1', '2', '3']) send(house, { to: '/a', content });
    for (let count = 1; count <= 3; count += 1) {
      await expect.poll(() => answers.length).toBe(count);
      expect(bodies(house, '/a')).toEqual(['1', '2', '3'].slice(0, count));
      answers[count - 1]?.();
    }
    await house.expectSignals('message-send', 3);
  });

  test('one that fails holds the later ones back', async () => {
    const house = await createHouse();
    house.server.on('/a', reply(500));
    send(house, { to: '/a', content: '1' });
    send(house, { to: '/a', content: '2' });
    await tryAgain(house, 1_000, 2);
    expect(bodies(house, '/a')).toEqual(['1', '1']);
    house.server.on('/a', reply(200));
    await tryAgain(house, 1_000, 4);
    expect(bodies(house, '/a')).toEqual(['1', '1', '1', '2']);
  });

  test('one that dies lets the later ones pass', async () => {
    const house = await createHouse();
    house.server.on('/gone', reply(410));
    house.server.on('/a', reply(200));
    send(house, { to: '/gone', failures: 4 });
    send(house, { to: '/a' });
    await house.expectSignals('message-send', 1);
  });

  test('what is to be published waits for the post before it', async () => {
    const house = await createHouse();
    let answer = (): void => {};
    house.server.on('/a', (_, response) => {
      answer = () => response.end();
    });
    send(house, { to: '/a' });
    const first = send(house, { to: 'echo' });
    const second = send(house, { to: 'echo' });
    const other = send(house, { to: 'echo', responseTo: 'another' });
    expect(await house.expectSignals('data-consume', 1)).toEqual([{ sequence: other.sequence }]);
    await expect.poll(() => house.server.calls.length).toBe(1);
    answer();
    expect(await house.expectSignals('data-consume', 3)).toEqual([
      { sequence: other.sequence },
      { sequence: first.sequence },
      { sequence: second.sequence },
    ]);
  });

  test('a post waits until what is published before it has arrived', async () => {
    const house = await createHouse();
    house.server.on('/a', reply(200));
    const first = send(house, { to: 'echo' });
    const second = send(house, { to: 'echo' });
    send(house, { to: '/a' });
    await house.expectSignals('data-consume', 2);
    publish(house, first);
    await stays(() => house.server.calls.length > 0, { what: 'a request', span: 50 });
    publish(house, second);
    await house.expectSignals('message-send', 3);
    expect(house.server.calls).toHaveLength(1);
  });

  test('a post does not wait for ever for what died before it', async () => {
    const house = await createHouse();
    house.server.on('/a', reply(200));
    const { sequence } = send(house, { to: 'echo' });
    send(house, { to: '/a' });
    await house.expectSignals('data-consume', 1);
    house.journal.responses.delete(sequence);
    house.clock.wind(5_000);
    await house.expectSignals('message-send', 1);
  });

  test('is kept for each worker and each message apart', async () => {
    const house = await createHouse();
    house.server.on('/never', () => {});
    house.server.on('/a', reply(200));
    send(house, { to: '/never' });
    send(house, { to: '/a', handler: 'other' });
    send(house, { to: '/a', responseTo: 'other' });
    await house.expectSignals('message-send', 2);
  });

  test('what answers no message is in order with the same address alone', async () => {
    const house = await createHouse();
    house.server.on('/never', () => {});
    house.server.on('/a', reply(200));
    send(house, { to: '/never', responseTo: '' });
    send(house, { to: '/never', responseTo: '' });
    send(house, { to: '/a', responseTo: '' });
    await house.expectSignals('message-send', 1);
    expect(house.server.callsTo('/never')).toHaveLength(1);
  });
});
