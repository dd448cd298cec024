/** What the datastore relies on in lokijs. */
import Loki from 'lokijs';
import { expect, test } from 'vitest';

interface Thing {
  readonly name: string;
  state: string;
}

function collection(): Collection<Thing> {
  return new Loki('contract').addCollection<Thing>('things', { unique: ['name'] });
}

test('a second document with the same unique key is refused, and changes nothing', () => {
  const things = collection();
  things.insert({ name: 'a', state: 'first' });
  expect(() => things.insert({ name: 'a', state: 'second' })).toThrow(/Duplicate key/);
  expect(things.by('name', 'a')?.state).toBe('first');
  expect(things.count()).toBe(1);
});

test('documents are live: what is changed in place is found changed', () => {
  const things = collection();
  const inserted = things.insert({ name: 'a', state: 'first' });
  if (inserted) inserted.state = 'second';
  expect(things.by('name', 'a')).toBe(inserted);
  expect(things.by('name', 'a')?.state).toBe('second');
});

test('a key is free again when its document was removed', () => {
  const things = collection();
  const first = things.insert({ name: 'a', state: 'first' });
  if (first) things.remove(first);
  expect(things.by('name', 'a')).toBeUndefined();
  things.insert({ name: 'a', state: 'second' });
  expect(things.by('name', 'a')?.state).toBe('second');
});
