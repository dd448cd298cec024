import { describe, expect, test } from 'vitest';
import { type Charges, type Happening, judge } from '../../../src/dispatcher/outcomes.ts';

const free: Charges = { workerDeaths: 0, daemonDeaths: 0, workerErrors: 0, internalErrors: 0 };
const again = (charge: object = {}, rest = 0): object => ({ kind: 'again', charge, rest });
const dead = (reason: string): object => expect.objectContaining({ kind: 'dead', reason });

interface Row {
  readonly what: string;
  readonly happening: Happening;
  readonly charges?: Partial<Charges>;
  readonly untilAccepted: object;
  readonly untilDone: object;
}

const table: readonly Row[] = [
  {
    what: 'not sent',
    happening: { kind: 'not-sent', reason: '' },
    untilAccepted: again({}, 100),
    untilDone: again({}, 100),
  },
  {
    what: 'refused',
    happening: { kind: 'refused', reason: '' },
    untilAccepted: dead('refused'),
    untilDone: dead('refused'),
  },
  {
    what: 'an exception in the worker, first time',
    happening: { kind: 'worker-error', reason: '' },
    untilAccepted: dead('worker-error'),
    untilDone: again({ workerErrors: 1 }, 1_000),
  },
  {
    what: 'an exception in the worker, second time',
    happening: { kind: 'worker-error', reason: '' },
    charges: { workerErrors: 1 },
    untilAccepted: dead('worker-error'),
    untilDone: again({ workerErrors: 1 }, 4_000),
  },
  {
    what: 'an exception in the worker, third time',
    happening: { kind: 'worker-error', reason: '' },
    charges: { workerErrors: 2 },
    untilAccepted: dead('worker-error'),
    untilDone: dead('worker-error'),
  },
  {
    what: 'no clear answer',
    happening: { kind: 'unclear', reason: '' },
    untilAccepted: dead('outcome-unknown'),
    untilDone: again(),
  },
  {
    what: 'the worker died with others in hand',
    happening: { kind: 'worker-died', alone: false },
    charges: { workerDeaths: 2 },
    untilAccepted: dead('outcome-unknown'),
    untilDone: again({ suspect: true }),
  },
  {
    what: 'the worker died with it alone in hand',
    happening: { kind: 'worker-died', alone: true },
    untilAccepted: dead('outcome-unknown'),
    untilDone: again({ workerDeaths: 1, suspect: true }),
  },
  {
    what: 'the worker died with it alone in hand, third time',
    happening: { kind: 'worker-died', alone: true },
    charges: { workerDeaths: 2 },
    untilAccepted: dead('outcome-unknown'),
    untilDone: dead('worker-died'),
  },
  {
    what: 'the daemon crashed',
    happening: { kind: 'daemon-died' },
    charges: { workerDeaths: 2, daemonDeaths: 3 },
    untilAccepted: dead('outcome-unknown'),
    untilDone: again({ daemonDeaths: 1, suspect: true }),
  },
  {
    what: 'the daemon crashed, fifth time',
    happening: { kind: 'daemon-died' },
    charges: { daemonDeaths: 4 },
    untilAccepted: dead('outcome-unknown'),
    untilDone: dead('daemon-died'),
  },
  {
    what: 'stopped by us',
    happening: { kind: 'stopped' },
    untilAccepted: dead('outcome-unknown'),
    untilDone: again(),
  },
  {
    what: 'accepted and never answered',
    happening: { kind: 'unanswered', reason: '' },
    untilAccepted: { kind: 'done' },
    untilDone: dead('timed-out'),
  },
  {
    what: 'cancelled while waiting',
    happening: { kind: 'cancelled', begun: false },
    untilAccepted: dead('cancelled'),
    untilDone: dead('cancelled'),
  },
  {
    what: 'our own error, first time',
    happening: { kind: 'internal', reason: '' },
    untilAccepted: dead('internal'),
    untilDone: again({ internalErrors: 1 }, 100),
  },
  {
    what: 'our own error, second time',
    happening: { kind: 'internal', reason: '' },
    charges: { internalErrors: 1 },
    untilAccepted: dead('internal'),
    untilDone: dead('internal'),
  },
];

describe.each(table)('$what', ({ happening, charges, untilAccepted, untilDone }) => {
  test('until-accepted', () => {
    expect(judge(happening, 'until-accepted', { ...free, ...charges })).toEqual(untilAccepted);
  });

  test('until-done', () => {
    expect(judge(happening, 'until-done', { ...free, ...charges })).toEqual(untilDone);
  });
});
