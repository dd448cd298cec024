/**
 * Attached workers that are killed, or lose their stream, at every kind of frame: nothing is lost, and nothing is run
 * twice in one process.
 */
import { expect, test } from 'vitest';
import { startHost } from '../helpers/host.ts';
import { ledger } from '../helpers/ledger.ts';
import { testScope } from '../helpers/test-scope.ts';
import { attachedWorker } from '../helpers/worker-files.ts';

const messages = 60;

const cuts = [
  'cut-at-hello',
  'cut-on-welcome',
  'cut-on-deliveries',
  'cut-at-accepted',
  'cut-on-recorded',
  'cut-at-answers',
  'cut-at-outcomes',
  'cut-on-receipts',
  'cut-on-settled',
];
const kills = cuts.map((cut) => cut.replace('cut', 'kill'));
const policies = ['until-accepted', 'until-done'] as const;

interface Trial {
  readonly fault: string;
  readonly redelivery: (typeof policies)[number];
}

const trials: readonly Trial[] = [...cuts, ...kills].flatMap((fault) =>
  policies.map((redelivery) => ({ fault, redelivery })),
);

test.each(trials)('$fault under $redelivery', async ({ fault, redelivery }) => {
  const scope = testScope();
  const book = ledger(scope);
  const behaviours = [fault, ...(redelivery === 'until-accepted' ? ['accepts'] : [])];
  const host = await startHost(scope, {
    workers: [attachedWorker({ behaviours, redelivery, ledger: book.file, concurrency: 16 })],
    handlers: ['attached'],
  });
  const ids: string[] = [];
  for (let n = 0; n < messages; n += 1)
    ids.push(await host.server.send({ directive: 'attached', content: n }));

  const reported: string[] = [];
  for (const id of ids) {
    const { json } = await host.server.answer(id, 20_000);
    const metadata = json['metadata'];
    if (metadata && typeof metadata === 'object' && 'reason' in metadata)
      reported.push(String(metadata.reason));
  }
  // Under until-done, and wherever the process lives, an answer is what comes of every message.
  if (redelivery === 'until-done' || fault.startsWith('cut')) expect(reported).toEqual([]);
  else expect(new Set(reported)).toEqual(new Set(reported.length > 0 ? ['outcome-unknown'] : []));

  const happened = book.events('fault').map((entry) => entry['fault']);
  const recorded = redelivery === 'until-accepted' || !/accepted|recorded/.test(fault);
  expect(happened).toEqual(recorded ? [fault] : []);
  const runs = book.events('message').map((entry) => `${entry.pid} ${String(entry['message_id'])}`);
  expect(runs.length, 'run twice in one process').toBe(new Set(runs).size);
  if (redelivery === 'until-accepted') {
    const ran = book.messageIds();
    expect(ran.length, 'run twice after it was accepted').toBe(new Set(ran).size);
  }
  await host.yggd.stopCleanly();
});
