import { expect, test } from 'vitest';
import { SharedWait } from '../../../src/base/shared-wait.ts';

test('things that wait for one promise are told together, in their order', async () => {
  const told: Array<readonly string[]> = [];
  const wait = new SharedWait<string>((things) => void told.push([...things]));
  const [first, second] = [Promise.resolve(), Promise.resolve()];
  wait.add(first, 'a');
  wait.add(first, 'b');
  wait.add(second, 'c');
  await wait.settled();
  expect(told).toEqual([['a', 'b'], ['c']]);
});

test('what comes after a promise was kept is told as well', async () => {
  const told: string[] = [];
  const wait = new SharedWait<string>((things) => void told.push(...things));
  const promise = Promise.resolve();
  wait.add(promise, 'early');
  await wait.settled();
  wait.add(promise, 'late');
  await wait.settled();
  expect(told).toEqual(['early', 'late']);
});

test('a promise that is not kept tells why, and nothing is left unhandled', async () => {
  const told: unknown[] = [];
  const wait = new SharedWait<string>((things, error) => void told.push([...things, error]));
  const reason = new Error('no room');
  wait.add(Promise.reject(reason), 'a');
  await wait.settled();
  expect(told).toEqual([['a', reason]]);
});
