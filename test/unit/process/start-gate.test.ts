import { expect, test } from 'vitest';
import { StartGate } from '../../../src/process/start-gate.ts';

test('as many go in as it is wide, the others in their turn', async () => {
  const gate = new StartGate(2);
  const inside: string[] = [];
  const enter = async (name: string): Promise<() => void> => {
    const leave = await gate.enter();
    inside.push(name);
    return leave;
  };
  const [a, b] = await Promise.all([enter('a'), enter('b')]);
  const c = enter('c');
  const d = enter('d');
  await Promise.resolve();
  expect(inside).toEqual(['a', 'b']);
  a();
  // Leaving twice makes room once.
  a();
  const leaveC = await c;
  await Promise.resolve();
  expect(inside).toEqual(['a', 'b', 'c']);
  b();
  const leaveD = await d;
  leaveC();
  leaveD();
  expect(inside).toEqual(['a', 'b', 'c', 'd']);
});
