import { expect, test } from 'vitest';
import { type Id, KeyOrder } from '../../../src/journal/key-order.ts';

function orderOf(): { order: KeyOrder; come: (id: Id) => void; go: (id: Id) => void; there: Set<Id> } {
  const there = new Set<Id>();
  const order = new KeyOrder((id) => there.has(id));
  return {
    order,
    there,
    come(id) {
      there.add(id);
      order.came(id);
    },
    go(id) {
      there.delete(id);
      order.went(id);
    },
  };
}

test('those that are there are in order, whenever they came and went', () => {
  const { order, there, come, go } = orderOf();
  for (let step = 0; step < 5_000; step++) {
    const id = 1 + ((step * 7_919) % 601);
    if (there.has(id)) go(id);
    else come(id);
    if (step % 50 !== 0) continue;
    const expected = [...there].map(Number).sort((a, b) => a - b);
    expect([...order.within(0, 1_000, false)]).toEqual(expected);
    expect([...order.within(100, 300, true)]).toEqual(
      expected.filter((one) => one > 100 && one < 300).reverse(),
    );
    expect(order.count).toBe(there.size);
  }
});

test('the head of a long queue is found at once, however many went before it', () => {
  const { order, come, go } = orderOf();
  for (let id = 1; id <= 100_000; id++) come(id);
  const begun = process.cpuUsage().user;
  for (let id = 1; id < 40_000; id++) {
    go(id);
    expect(order.within(0, 200_000, false).next().value).toBe(id + 1);
  }
  // Walking over those that went takes minutes.
  expect(process.cpuUsage().user - begun).toBeLessThan(8_000_000);
});

test('names are in the order of their bytes', () => {
  const { order, come } = orderOf();
  for (const name of ['ä', 'b', '\u{1f44b}', 'a', '\uffee']) come(name);
  expect([...order.within('', '\u{10ffff}', false)]).toEqual(['a', 'b', 'ä', '\uffee', '\u{1f44b}']);
});
