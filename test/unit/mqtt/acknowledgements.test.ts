import { describe, expect, test } from 'vitest';
import { Acknowledgements } from '../../../src/mqtt/acknowledgements.ts';

describe('Acknowledgements', () => {
  function create(): { readonly written: number[]; readonly queue: Acknowledgements } {
    const written: number[] = [];
    return { written, queue: new Acknowledgements((packetId) => written.push(packetId)) };
  }

  test('keeps the order of arrival, whatever the order of settling', () => {
    const { written, queue } = create();
    const [a, b, c] = [queue.add(1, 10), queue.add(2, 10), queue.add(3, 10)];
    queue.settle(c, 'acknowledged');
    queue.settle(b, 'acknowledged');
    expect(written).toEqual([]);
    queue.settle(a, 'acknowledged');
    expect(written).toEqual([1, 2, 3]);
  });

  test('does not wait for what is left to the broker, and never answers QoS 0', () => {
    const { written, queue } = create();
    const [a, b, c] = [queue.add(1, 10), queue.add(0, 10), queue.add(3, 10)];
    queue.settle(a, 'left');
    queue.settle(c, 'acknowledged');
    expect(written).toEqual([]);
    queue.settle(b, 'acknowledged');
    expect(written).toEqual([3]);
  });

  test('answers each packet once, also when its identifier is used again', () => {
    const { written, queue } = create();
    const first = queue.add(7, 1);
    const second = queue.add(7, 1);
    queue.settle(second, 'acknowledged');
    queue.settle(first, 'acknowledged');
    queue.settle(first, 'acknowledged');
    expect(written).toEqual([7, 7]);
  });

  test('knows what is open', () => {
    const { queue } = create();
    const tickets = Array.from({ length: 1_000 }, (_, index) => queue.add(index + 1, 5));
    expect([queue.open, queue.bytes]).toEqual([1_000, 5_000]);
    for (const ticket of tickets) queue.settle(ticket, 'acknowledged');
    expect([queue.open, queue.bytes]).toEqual([0, 0]);
  });
});
