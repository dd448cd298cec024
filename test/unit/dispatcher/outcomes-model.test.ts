/** What befalls a message, in any order: it ends, it is charged only with what was its own, and some things never repeat. */
import fc, { type Arbitrary } from 'fast-check';
import { expect, test } from 'vitest';
import { type Charges, type Happening, judge, type Verdict } from '../../../src/dispatcher/outcomes.ts';

const reason = 'reason';

/** What may be put down to the message itself. */
const guilt: Arbitrary<Happening> = fc.constantFrom<Happening>(
  { kind: 'worker-error', reason },
  { kind: 'worker-died', alone: true },
  { kind: 'daemon-died' },
  { kind: 'internal', reason },
);
/** What may not. */
const innocence: Arbitrary<Happening> = fc.constantFrom<Happening>(
  { kind: 'not-sent', reason },
  { kind: 'unclear', reason },
  { kind: 'worker-died', alone: false },
  { kind: 'stopped' },
);

interface Life {
  readonly charges: Charges;
  readonly verdicts: readonly Verdict[];
}

/** Until its end, or until nothing more happens. */
function live(happenings: readonly Happening[], redelivery: 'until-accepted' | 'until-done'): Life {
  const charges = { workerDeaths: 0, daemonDeaths: 0, workerErrors: 0, internalErrors: 0 };
  const verdicts: Verdict[] = [];
  for (const happening of happenings) {
    const verdict = judge(happening, redelivery, charges);
    verdicts.push(verdict);
    if (verdict.kind !== 'again') break;
    charges.workerDeaths += verdict.charge.workerDeaths ?? 0;
    charges.daemonDeaths += verdict.charge.daemonDeaths ?? 0;
    charges.workerErrors += verdict.charge.workerErrors ?? 0;
    charges.internalErrors += verdict.charge.internalErrors ?? 0;
  }
  return { charges, verdicts };
}

test('under until-done what is innocent lives on for ever, and what is not ends after ten at most', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(guilt, innocence), { maxLength: 60 }), (happenings) => {
      const { verdicts } = live(happenings, 'until-done');
      const own = happenings
        .slice(0, verdicts.length)
        .filter(({ kind, ...rest }) =>
          kind === 'worker-died' ? 'alone' in rest && rest.alone : /error|daemon|internal/.test(kind),
        );
      expect(own.length).toBeLessThanOrEqual(10);
      const ended = verdicts.at(-1)?.kind === 'dead';
      if (ended) expect(happenings[verdicts.length - 1]).toBe(own.at(-1));
      else expect(verdicts.length).toBe(happenings.length);
    }),
  );
});

test('innocence is charged with nothing, under either policy', () => {
  fc.assert(
    fc.property(
      fc.array(innocence),
      fc.constantFrom('until-accepted', 'until-done'),
      (happenings, redelivery) => {
        const { charges } = live(happenings, redelivery);
        expect(Object.values(charges)).toEqual([0, 0, 0, 0]);
      },
    ),
  );
});

test('under until-accepted only what was never written, or what its worker asks for, is handed over again', () => {
  fc.assert(
    fc.property(fc.array(fc.oneof(guilt, innocence), { minLength: 1 }), (happenings) => {
      const { verdicts } = live(happenings, 'until-accepted');
      const again = happenings.slice(0, verdicts.length).filter((_, n) => verdicts[n]?.kind === 'again');
      expect(again.every(({ kind }) => kind === 'not-sent')).toBe(true);
    }),
  );
});

test('every end has its reason and a sentence', () => {
  const any: Arbitrary<Happening> = fc.oneof(
    guilt,
    innocence,
    fc.constantFrom<Happening>({ kind: 'refused', reason }, { kind: 'unanswered', reason }),
    fc.record({ kind: fc.constant('cancelled' as const), begun: fc.boolean() }),
    fc.record({
      kind: fc.constant('failed' as const),
      reason: fc.constant(reason),
      again: fc.option(fc.nat(), { nil: undefined }),
    }),
  );
  fc.assert(
    fc.property(fc.array(any), fc.constantFrom('until-accepted', 'until-done'), (happenings, redelivery) => {
      for (const verdict of live(happenings, redelivery).verdicts) {
        if (verdict.kind === 'again') expect(verdict.rest).toBeGreaterThanOrEqual(0);
        if (verdict.kind === 'dead') expect([verdict.reason, verdict.message]).not.toContain('');
      }
    }),
  );
});
