/**
 * Admission beside what it promises, for any order of messages, ends, and workers that come and go: its windows hold,
 * the oldest comes first, and no directive that has a worker waits for another one.
 */
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import { createDatastore } from '../../../src/datastore.ts';
import { Admission } from '../../../src/message-router/admission.ts';
import { openOnMemory, request } from '../journal/journal-on-memory.ts';

const directives = ['one', 'two', 'three'] as const;
const slots = 3;
const window = { messages: 4, bytes: 200 };
const largest = 120;

const directive = fc.constantFrom(...directives);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ kind: fc.constant('receive'), directive, size: fc.nat(largest) }) },
  { weight: 3, arbitrary: fc.record({ kind: fc.constantFrom('done', 'back', 'release'), which: fc.nat() }) },
  { weight: 1, arbitrary: fc.record({ kind: fc.constantFrom('register', 'unregister'), directive }) },
  { weight: 2, arbitrary: fc.record({ kind: fc.constant('turn') }) },
);

test('windows hold, the oldest is first, and no directive waits for another', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(step, { size: 'max', maxLength: 60 }), async (steps) => {
      const { journal } = openOnMemory();
      const { inbox } = journal;
      const { workers, messages } = createDatastore();
      const finished = new Set<number>();
      const admission = new Admission({
        inbox,
        datastore: { workers, messages },
        window,
        counters: { count: () => {} },
        log: silentLogger,
        onOrphaned: () => {},
        onRoom: () => {},
        onAdmitted(sequence, name) {
          const older = inbox.waiting(name, 1_000).find((row) => !messages.get(row.sequence));
          expect(older?.sequence ?? Number.POSITIVE_INFINITY).toBeGreaterThan(sequence);
        },
      });
      const holding = (name: string): number =>
        messages.all().filter((doc) => doc.slot && doc.directive === name).length;
      const held = (): number => directives.reduce((sum, name) => sum + holding(name), 0);
      const bytes = (): number => messages.all().reduce((sum, doc) => sum + (doc.slot ? doc.size : 0), 0);
      /** Everything that was begun has come to its end: what waits now waits for a reason. */
      const turn = async (): Promise<void> => {
        for (let turns = 0; turns < 4; turns += 1) await new Promise(setImmediate);
        for (const name of directives) {
          const next = inbox.waiting(name, 1_000).find((row) => !messages.get(row.sequence));
          if (!next || !workers.get(name)) continue;
          expect(holding(name), `${name} has a worker and waits for others`).toBeGreaterThan(0);
          const full = held() >= window.messages || bytes() + next.size > window.bytes;
          expect(full || holding(name) === slots, `${name} waits for nothing`).toBe(true);
        }
      };
      const settle = (which: number, kind: 'done' | 'back' | 'release'): void => {
        const all = messages.all();
        const doc = all[which % Math.max(1, all.length)];
        if (!doc) return;
        const { sequence } = doc;
        if (kind === 'release') {
          doc.slot = false;
          admission.settle(sequence, doc.directive, 'released');
          return;
        }
        if (kind === 'done') inbox.finish(sequence);
        else inbox.back(sequence);
        if (kind === 'done') finished.add(sequence);
        messages.remove(sequence);
        admission.settle(sequence, doc.directive, kind);
      };
      const register = (name: string): void => {
        if (workers.get(name)) return;
        workers.add({ ...worker, handler: name });
        admission.onRegister(name);
      };

      for (const name of directives) register(name);
      const received: number[] = [];
      for (const one of steps) {
        if ('size' in one) {
          const content = Buffer.alloc(one.size);
          received.push(admission.receive(request({ directive: one.directive, content })).sequence);
        } else if ('which' in one) settle(one.which, one.kind as 'done' | 'back' | 'release');
        else if (!('directive' in one)) await turn();
        else if (one.kind === 'register') register(one.directive);
        else workers.remove(one.directive);

        for (const name of directives) expect(holding(name)).toBeLessThanOrEqual(slots);
        // Whoever filled the window, the others always get their one.
        expect(held()).toBeLessThanOrEqual(window.messages + 1);
        expect(bytes()).toBeLessThanOrEqual(window.bytes + (directives.length - 1) * largest);
      }
      await turn();
      // Once every directive has a worker, everything comes to its end.
      for (const name of directives) register(name);
      for (let rounds = 0; rounds < 400 && finished.size < received.length; rounds += 1) {
        settle(0, 'done');
        await new Promise(setImmediate);
      }
      expect(finished.size).toBe(received.length);
    }),
    { numRuns: 100 },
  );
});

const worker = {
  pid: 1,
  file: '',
  features: {},
  detached: false,
  redelivery: 'until-accepted',
  slots,
  timeout: 3_600_000,
  registeredAt: 0,
} as const;
