import { describe, expect, test } from 'vitest';
import { createDatastore, type WorkingMessage } from '../../src/datastore.ts';

function message(sequence: number, messageId = 'an-id'): WorkingMessage {
  return { sequence, messageId, directive: 'echo', cancel: false, size: 2, state: 'received', slot: true };
}

describe('a collection', () => {
  test('finds by its key and only by it: a message id may come twice', () => {
    const { messages } = createDatastore();
    messages.add(message(1));
    messages.add(message(2));
    expect(messages.get(2)?.sequence).toBe(2);
    expect(messages.get(3)).toBeUndefined();
    expect(messages.size).toBe(2);
  });

  test('a second document with the same key is refused and changes nothing', () => {
    const { messages } = createDatastore();
    messages.add(message(1, 'first'));
    expect(() => messages.add(message(1, 'second'))).toThrow(/[Dd]uplicate key/);
    expect(messages.size).toBe(1);
    expect(messages.get(1)?.messageId).toBe('first');
    expect(messages.remove(1)).toBe(true);
    expect(messages.size).toBe(0);
    messages.add(message(1, 'third'));
    expect(messages.get(1)?.messageId).toBe('third');
  });

  test('documents are live', () => {
    const { messages } = createDatastore();
    const doc = messages.add(message(1));
    doc.state = 'in-hand';
    doc.slot = false;
    expect(messages.get(1)).toMatchObject({ state: 'in-hand', slot: false });
    expect(messages.all()[0]).toBe(messages.get(1));
  });

  test('remove says whether there was something', () => {
    const { messages } = createDatastore();
    messages.add(message(1));
    expect([messages.remove(1), messages.remove(1)]).toEqual([true, false]);
    expect(messages.get(1)).toBeUndefined();
    expect(messages.all()).toEqual([]);
  });

  test('keeps finding the right one while others come and go', () => {
    const { messages } = createDatastore();
    for (let sequence = 1; sequence <= 500; sequence += 1) {
      messages.add(message(sequence, `id-${sequence}`));
      if (sequence > 20) expect(messages.remove(sequence - 20)).toBe(true);
    }
    expect(messages.size).toBe(20);
    for (let sequence = 481; sequence <= 500; sequence += 1) {
      expect(messages.get(sequence)?.messageId).toBe(`id-${sequence}`);
    }
  });
});

test('two stores share nothing', () => {
  const one = createDatastore();
  const other = createDatastore();
  one.messages.add(message(1));
  expect(other.messages.size).toBe(0);
});

test('the three collections are apart', () => {
  const { workers, processes, messages } = createDatastore();
  messages.add(message(1));
  expect([workers.size, processes.size, messages.size]).toEqual([0, 0, 1]);
});
