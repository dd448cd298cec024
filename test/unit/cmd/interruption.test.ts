import { EventEmitter } from 'node:events';
import { expect, test } from 'vitest';
import { Interruption } from '../../../cmd/interruption.ts';

class FakeProcess extends EventEmitter {
  readonly pid = 7;
  readonly killed: unknown[] = [];
  kill(pid: number, signal: NodeJS.Signals): void {
    this.killed.push([pid, signal, this.listenerCount(signal)]);
  }
}

function rig() {
  const fake = new FakeProcess();
  let now = 0;
  const interruption = new Interruption(fake, () => now);
  const send = (signal: NodeJS.Signals, at: number): void => {
    now = at;
    fake.emit(signal, signal);
  };
  return { fake, interruption, send };
}

test('nobody is listened to before somebody watches, and nothing ends without a signal', () => {
  const { fake, interruption } = rig();
  expect(fake.eventNames()).toEqual([]);
  interruption.watch();
  interruption.watch();
  expect(fake.listenerCount('SIGINT')).toBe(1);
  interruption.end();
  expect(fake.killed).toEqual([]);
});

test('the first signal is told, and in the end the process ends by it', () => {
  const { fake, interruption, send } = rig();
  const signal = interruption.watch();
  send('SIGTERM', 5);
  expect(signal.aborted).toBe(true);
  expect(fake.killed).toEqual([]);
  interruption.end();
  expect(fake.killed).toEqual([[7, 'SIGTERM', 0]]);
});

test('one Ctrl-C that comes twice is one, another one a second later ends the process at once', () => {
  const { fake, interruption, send } = rig();
  interruption.watch();
  send('SIGINT', 0);
  send('SIGINT', 1);
  expect(fake.killed).toEqual([]);
  send('SIGINT', 1_000);
  expect(fake.killed).toEqual([[7, 'SIGINT', 0]]);
});
