import fc from 'fast-check';
import { expect, test } from 'vitest';
import { SequenceQueue } from '../../../src/message-router/sequence-queue.ts';

test('gives each sequence once, in the order in which they were added', () => {
  const operation = fc.oneof(fc.nat({ max: 20 }), fc.constant('take' as const));
  fc.assert(
    fc.property(fc.array(operation, { maxLength: 200 }), (operations) => {
      const queue = new SequenceQueue();
      const expected: number[] = [];
      for (const each of operations) {
        if (each === 'take') expect(queue.take()).toBe(expected.shift());
        else {
          queue.add(each);
          if (!expected.includes(each)) expected.push(each);
        }
        expect(queue.size).toBe(expected.length);
      }
    }),
  );
});
