/**
 * Attached workers that are killed, or lose their stream, at every kind of frame: nothing is lost, and nothing is run
 * twice in one process.
 *
 * The workers of one group share a host, and meet their faults at the same time: what a test would wait for most is a worker
 * that is started again.
 */
import { beforeAll, describe, expect, test } from 'vitest';
import { type Host, startHost } from '../helpers/host.ts';
import { type Ledger, ledger } from '../helpers/ledger.ts';
import { fileScope } from '../helpers/test-scope.ts';
import { attachedWorker } from '../helpers/worker-files.ts';

const messages = 60;

const places = [
  'at-hello',
  'on-welcome',
  'on-deliveries',
  'at-accepted',
  'on-recorded',
  'at-answers',
  'at-outcomes',
  'on-receipts',
  'on-settled',
] as const;

type Place = (typeof places)[number];

describe.each([
  { fault: 'cut', redelivery: 'until-accepted' },
  { fault: 'cut', redelivery: 'until-done' },
  { fault: 'kill', redelivery: 'until-accepted' },
  { fault: 'kill', redelivery: 'until-done' },
] as const)('$fault under $redelivery', ({ fault, redelivery }) => {
  const scope = fileScope();
  const books = new Map<Place, Ledger>();
  const sent = new Map<Place, readonly string[]>();
  let host: Host;

  beforeAll(async () => {
    const workers = places.map((place) => {
      const book = ledger(scope);
      books.set(place, book);
      const accepts = redelivery === 'until-accepted' || /accepted|recorded/.test(place);
      const behaviours = [`${fault}-${place}`, ...(accepts ? ['accepts'] : [])];
      return attachedWorker({ handler: place, behaviours, redelivery, ledger: book.file, concurrency: 16 });
    });
    host = await startHost(scope, { workers, handlers: places });
    for (const place of places) {
      const ids: string[] = [];
      for (let n = 0; n < messages; n += 1)
        ids.push(await host.server.send({ directive: place, content: n }));
      sent.set(place, ids);
    }
  });

  test.each(places)('%s', async (place) => {
    const reported: string[] = [];
    for (const id of sent.get(place) ?? []) {
      const { json } = await host.server.answer(id, 20_000);
      const metadata = json['metadata'];
      if (metadata && typeof metadata === 'object' && 'reason' in metadata)
        reported.push(String(metadata.reason));
    }
    // Under until-done, and wherever the process lives, an answer is what comes of every message.
    if (redelivery === 'until-done' || fault === 'cut') expect(reported).toEqual([]);
    else expect(new Set(reported)).toEqual(new Set(reported.length > 0 ? ['outcome-unknown'] : []));

    const entries = (event: 'fault' | 'message') => books.get(place)?.events(event) ?? [];
    expect(entries('fault').map((entry) => entry['fault'])).toEqual([`${fault}-${place}`]);
    const runs = entries('message').map((entry) => `${entry.pid} ${String(entry['message_id'])}`);
    expect(runs.length, 'run twice in one process').toBe(new Set(runs).size);
    if (redelivery === 'until-accepted') {
      const ran = entries('message').map((entry) => entry['message_id']);
      expect(ran.length, 'run twice after it was accepted').toBe(new Set(ran).size);
    }
  });

  test('and the daemon stops cleanly', async () => {
    await host.yggd.stopCleanly();
  });
});
