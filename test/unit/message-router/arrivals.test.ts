import { describe, expect, test } from 'vitest';
import { Arrivals, type Outlook } from '../../../src/message-router/arrivals.ts';
import { encodeData, parseData } from '../../../src/messages.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import { incoming } from './incoming.ts';

function create() {
  const clock = new HandClock();
  const written: string[] = [];
  const state = { outlook: 'waiting' as Outlook, settled: 0, isWriting: false, room: 0, several: 1 };
  const arrivals = new Arrivals({
    outlook: () => (state.room > 0 ? 'offered' : state.outlook),
    hasRoomForSeveral: () => state.room >= state.several,
    settled: () => state.settled,
    isWriting: () => state.isWriting,
    write(message, data = parseData(message.payload)) {
      state.room -= 1;
      written.push(data.messageId);
    },
    clock,
  });
  let count = 0;
  const add = (directive = 'echo', content = '"x"'): string => {
    count += 1;
    const messageId = `${directive}-${count}`;
    const data = {
      messageId,
      responseTo: '',
      sent: 0,
      directive,
      metadata: {},
      content: Buffer.from(content),
    };
    const payload = encodeData(data);
    arrivals.add(incoming({ topic: 'data/in', payload }), parseData(payload));
    return messageId;
  };
  const addMany = (many: number, directive?: string, content?: string): string[] =>
    Array.from({ length: many }, () => add(directive, content));
  return { arrivals, clock, written, state, add, addMany };
}

/** So many wait that nothing is written only because there are few. */
function flooded() {
  const rig = create();
  rig.state.isWriting = true;
  const waiting = rig.addMany(1_000);
  rig.state.isWriting = false;
  return { ...rig, waiting };
}

describe('a message is written at once', () => {
  test('when few came, whatever its worker does', () => {
    const { written, addMany } = create();
    const ids = addMany(300);
    expect(written).toEqual(ids);
  });

  test('in a flood when its worker has a slot, or nobody is there for it', () => {
    const { written, state, add, waiting } = flooded();
    state.room = 1;
    const direct = add('other');
    state.outlook = 'orphaned';
    const orphaned = add('nobody');
    expect(written).toEqual([direct, orphaned]);
    expect(waiting).toHaveLength(1_000);
  });
});

describe('in a flood', () => {
  test('nothing is written while the disk has enough', () => {
    const { arrivals, written, state, waiting } = flooded();
    state.isWriting = true;
    state.room = 5;
    arrivals.onRoom('echo');
    expect(written).toEqual([]);
    state.isWriting = false;
    arrivals.onWritten();
    expect(written).toEqual(waiting.slice(0, 5));
  });

  test('a message waits for a slot, in its order', () => {
    const { arrivals, written, state, add, waiting } = flooded();
    const last = add();
    expect(written).toEqual([]);
    for (let slot = 0; slot < 700; slot++) {
      state.room = 1;
      arrivals.onRoom('echo');
    }
    expect(written).toEqual(waiting.slice(0, 700));
    state.room = 1_000;
    arrivals.onRoom('echo');
    expect(written).toEqual([...waiting, last]);
  });

  test('several are written together', () => {
    const { arrivals, written, state, waiting } = flooded();
    state.several = 3;
    state.room = 2;
    arrivals.onRoom('echo');
    expect(written).toEqual([]);
    state.room = 3;
    arrivals.onRoom('echo');
    expect(written).toEqual(waiting.slice(0, 3));
  });

  test('the last few are written without a slot', () => {
    const { arrivals, written, state, waiting } = flooded();
    state.room = 1_000 - 256;
    arrivals.onRoom('echo');
    expect(written).toEqual(waiting);
  });

  test('a directive does not wait for another one', () => {
    const { written, state, add } = flooded();
    state.room = 2;
    const ids = [add('other'), add('third')];
    expect(written).toEqual(ids);
  });

  test('what is too many is written, oldest first', () => {
    const { written, addMany, waiting } = flooded();
    addMany(12_288 - 1_000);
    expect(written).toEqual([]);
    addMany(3);
    expect(written).toEqual(waiting.slice(0, 3));
  });

  test('what is too large is written, oldest first', () => {
    const { written, addMany, waiting } = flooded();
    const large = addMany(9, 'large', `"${'x'.repeat(1024 * 1024)}"`);
    expect(written.length).toBeGreaterThan(0);
    expect([...waiting, ...large].filter((id) => written.includes(id))).toEqual(written);
  });

  test('a worker that would take too long has everything written', () => {
    const { clock, written, state, waiting } = flooded();
    clock.wind(100);
    state.settled += 10;
    clock.wind(100);
    expect(written).toEqual([]);
    state.settled += 9;
    clock.wind(100);
    expect(written).toEqual(waiting);
  });

  test('a broker that sends one for each that is acknowledged gets its acknowledgements', () => {
    const { arrivals, clock, written, state, add } = flooded();
    const pace = (): void => {
      for (let each = 0; each < 40; each++) {
        state.room = 1;
        state.settled += 1;
        arrivals.onRoom('echo');
        add();
      }
      state.room = 0;
      clock.wind(100);
    };
    // The flood itself came before the first look.
    pace();
    pace();
    expect(written).toHaveLength(80);
    pace();
    expect(written).toHaveLength(1_000 + 120);
  });
});

test('what is cleared is given back, and nothing of it is written', () => {
  const { arrivals, written, state, waiting } = flooded();
  expect(arrivals.clear()).toHaveLength(waiting.length);
  state.room = 10;
  arrivals.onRoom('echo');
  arrivals.onWritten();
  expect(written).toEqual([]);
  expect(arrivals.clear()).toEqual([]);
});

test('no timer runs while nothing waits', () => {
  const { arrivals, clock, addMany } = create();
  addMany(10);
  expect(clock.waits).toEqual([]);
  const flood = flooded();
  expect(flood.clock.waits).toHaveLength(1);
  flood.arrivals.clear();
  expect(flood.clock.waits).toEqual([]);
  expect(arrivals.clear()).toEqual([]);
});
