import { expect, test } from 'vitest';
import { counterTable, createCounters } from '../../src/counters.ts';

test('counts from zero, by one or by more', () => {
  const counters = createCounters();
  expect(counters.get('messages_received')).toBe(0);
  counters.count('messages_received');
  counters.count('messages_received', 5);
  expect(counters.get('messages_received')).toBe(6);
  expect(counters.get('messages_done')).toBe(0);
});

test('shows every counter of the table, also those that never counted', () => {
  const counters = createCounters();
  counters.count('commands_done');
  expect(Object.keys(counters.all()).sort()).toEqual(Object.keys(counterTable).sort());
  expect(counters.all().commands_done).toBe(1);
});

test('what was handed out does not change', () => {
  const counters = createCounters();
  const before = counters.all();
  counters.count('commands_done');
  expect(before.commands_done).toBe(0);
});

test('each counter has its sentence and a plain name', () => {
  for (const [name, sentence] of Object.entries(counterTable)) {
    expect(name).toMatch(/^[a-z0-9]+(_[a-z0-9]+)*$/);
    expect(sentence.length).toBeGreaterThan(8);
  }
});
