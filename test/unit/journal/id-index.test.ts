import { describe, expect, test } from 'vitest';
import { IdIndex } from '../../../src/journal/id-index.ts';

/** All sequences that may be of an id, in the order in which they are looked at. */
function named(index: IdIndex, id: string, after = 0): number[] {
  const looked: number[] = [];
  index.find(id, after, (sequence) => {
    looked.push(sequence);
    return undefined;
  });
  return looked;
}

function commit(index: IdIndex): void {
  index.send();
  index.committed();
}

test('an id that nobody added is nowhere', () => {
  const index = new IdIndex(1);
  index.add('m', 1);
  expect(named(index, 'n')).toEqual([]);
});

test('the latest sequence of an id is looked at first, in whatever order they came', () => {
  const index = new IdIndex(1);
  index.load('m', 3);
  index.load('m', 1);
  index.add('m', 4);
  index.add('m', 2);
  expect(named(index, 'm')).toEqual([4, 3, 2, 1]);
  expect(named(index, 'm', 2)).toEqual([4, 3]);
  expect(index.find('m', 0, (sequence) => (sequence < 4 ? `${sequence}` : undefined))).toBe('3');
  commit(index);
  expect(named(index, 'm')).toEqual([4, 3, 2, 1]);
});

test('one sequence of an id is looked at only when it comes after what is known already', () => {
  const index = new IdIndex(1);
  index.add('m', 3);
  expect(named(index, 'm', 2)).toEqual([3]);
  expect(named(index, 'm', 3)).toEqual([]);
});

test('two ids with one hash are both found', () => {
  // With this seed they have.
  const index = new IdIndex(1);
  index.add('r/id-91925', 1);
  index.add('r/id-113960', 2);
  expect(named(index, 'r/id-91925')).toEqual([2, 1]);
  index.remove('r/id-91925', 1);
  commit(index);
  expect(named(index, 'r/id-113960')).toEqual([2]);
});

test('which ids have one hash depends on the seed', () => {
  const index = new IdIndex(2);
  index.add('r/id-91925', 1);
  expect(named(index, 'r/id-113960')).toEqual([]);
});

test('many ids are found each by itself, and are nowhere once they are removed', () => {
  const index = new IdIndex(1);
  const ids = Array.from({ length: 5_000 }, (_, number) => `id-${number}`);
  for (const [sequence, id] of ids.entries()) index.add(id, sequence + 1);
  commit(index);
  for (const [sequence, id] of ids.entries()) expect(named(index, id)).toContain(sequence + 1);
  for (const [sequence, id] of ids.entries()) index.remove(id, sequence + 1);
  commit(index);
  expect(ids.flatMap((id) => named(index, id))).toEqual([]);
});

describe('a transaction', () => {
  test('takes back what was added when it fails, and what was added behind it', () => {
    const index = new IdIndex(1);
    index.add('m', 1);
    commit(index);
    index.add('m', 2);
    index.send();
    index.add('m', 3);
    index.add('n', 4);
    index.undo();
    expect(named(index, 'm')).toEqual([1]);
    expect(named(index, 'n')).toEqual([]);
  });

  test('leaves what had been there before it was added again', () => {
    const index = new IdIndex(1);
    index.load('m', 1);
    index.add('m', 1);
    index.undo();
    expect(named(index, 'm')).toEqual([1]);
  });

  test('removes only once it is committed', () => {
    const index = new IdIndex(1);
    index.load('m', 1);
    index.load('m', 2);
    index.remove('m', 1);
    expect(named(index, 'm')).toEqual([2, 1]);
    index.send();
    expect(named(index, 'm')).toEqual([2, 1]);
    index.undo();
    commit(index);
    expect(named(index, 'm')).toEqual([2, 1]);
    index.remove('m', 1);
    commit(index);
    expect(named(index, 'm')).toEqual([2]);
  });

  test('can add and remove the same, and be made again', () => {
    const index = new IdIndex(1);
    for (const _try of [1, 2]) {
      index.add('m', 1);
      index.remove('m', 1);
      index.send();
      index.undo();
      expect(named(index, 'm')).toEqual([]);
    }
    index.add('m', 1);
    index.remove('m', 1);
    commit(index);
    expect(named(index, 'm')).toEqual([]);
  });

  test('that failed does not keep a change in it from adding it again', () => {
    const index = new IdIndex(1);
    index.add('m', 1);
    index.send();
    // Named already, so nothing is to be taken back for this one.
    index.add('m', 1);
    index.undo();
    expect(named(index, 'm')).toEqual([]);
    index.add('m', 1);
    commit(index);
    expect(named(index, 'm')).toEqual([1]);
  });
});
