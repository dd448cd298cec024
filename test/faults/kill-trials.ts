/** The trials in which the daemon is killed, with plain workers and attached ones. */
import { crashPoints } from './crash-points.ts';
import { type Edit, instrumented } from './instrumented.ts';
import { volatileDisk } from './power-cuts.ts';
import type { Figure } from './report.ts';
import type { Trial } from './trial.ts';
import { type KillsOptions, type KillsResult, kills } from './trials/kills.ts';

type KillsCount = Pick<KillsOptions, 'messages' | 'kills'>;

const calm: KillsCount = { messages: 50_000, kills: 0 };
const inbound: KillsCount = { messages: 50_000, kills: 100 };
const outbound: KillsCount = { messages: 10_000, kills: 50 };
const attached: KillsCount = { messages: 20_000, kills: 100 };
const power: KillsCount = { messages: 20_000, kills: 100 };

interface KillsTrialOptions extends Omit<KillsOptions, 'dice' | 'program' | 'crashing' | keyof KillsCount> {
  readonly count: KillsCount;
  /** Put into the daemon besides the crash points. */
  readonly edits?: readonly Edit[];
}

/** Kills strike at random and at named points in turns. */
function killsTrial(
  name: string,
  { count, edits, ...options }: KillsTrialOptions,
  figuresOf: (result: KillsResult) => readonly [Figure, ...Figure[]],
): Trial {
  return {
    name,
    async run({ scope, dice, share }) {
      const result = await kills(scope, {
        dice,
        ...options,
        ...(edits && { program: instrumented(scope, edits) }),
        crashing: instrumented(scope, [...crashPoints, ...(edits ?? [])]),
        messages: Math.ceil(count.messages * share),
        kills: Math.ceil(count.kills * share),
      });
      const [first, ...others] = figuresOf(result);
      const { kills: struck, atPoints, acknowledged, answered, reported } = result;
      const detail = `${struck} kills (${atPoints} at named points), ${acknowledged} messages, ${answered} answered, ${reported} reported`;
      return [{ ...first, detail }, ...others];
    },
  };
}

export const killTrials: readonly Trial[] = [
  killsTrial('nothing-wrong', { count: calm, redelivery: 'until-done' }, (result) => [
    {
      name: 'nothing wrong: lost, run again or answered again',
      value: result.lost.length + result.reported + result.ranAgain + result.answeredAgain,
      atMost: 0,
    },
  ]),
  killsTrial('inbound-until-done', { count: inbound, redelivery: 'until-done' }, (result) => [
    {
      name: 'daemon killed, until-done: not answered',
      value: result.lost.length + result.reported,
      atMost: 0,
    },
    {
      name: 'daemon killed, until-done: run again',
      value: result.ranAgain,
      atMost: result.kills * result.slots,
    },
  ]),
  killsTrial('inbound-until-accepted', { count: inbound, redelivery: 'until-accepted' }, (result) => [
    { name: 'daemon killed, until-accepted: nothing said', value: result.lost.length, atMost: 0 },
    { name: 'daemon killed, until-accepted: run again', value: result.ranAgain, atMost: 0 },
  ]),
  killsTrial('outbound-mqtt', { count: outbound, redelivery: 'until-done', via: 'mqtt' }, (result) => [
    { name: 'daemon killed, MQTT: answered Sends lost', value: result.responsesLost.length, atMost: 0 },
  ]),
  killsTrial('outbound-http', { count: outbound, redelivery: 'until-done', via: 'http' }, (result) => [
    { name: 'daemon killed, HTTP: answered Sends lost', value: result.responsesLost.length, atMost: 0 },
  ]),
  killsTrial(
    'detached',
    { count: outbound, redelivery: 'until-done', via: 'http', detached: true },
    (result) => [
      {
        name: 'daemon killed, content fetched: not answered',
        value: result.lost.length + result.reported,
        atMost: 0,
      },
      { name: 'the same: answered Sends lost', value: result.responsesLost.length, atMost: 0 },
    ],
  ),
  killsTrial(
    'power-cuts',
    // What was in hand goes on one at a time, each with two flushes.
    { count: power, redelivery: 'until-done', slots: 16, edits: volatileDisk() },
    (result) => [
      { name: 'power cut: requests lost', value: result.lost.length + result.reported, atMost: 0 },
      { name: 'power cut: answered Sends lost', value: result.responsesLost.length, atMost: 0 },
    ],
  ),
  killsTrial(
    'attached-until-done',
    { count: attached, redelivery: 'until-done', worker: 'attached' },
    (result) => [
      {
        name: 'daemon killed, attached, until-done: not answered',
        value: result.lost.length + result.reported,
        atMost: 0,
      },
      { name: 'the same: receipted answers lost', value: result.responsesLost.length, atMost: 0 },
      { name: 'the same: run again in one process', value: result.ranAgainThere, atMost: 0 },
    ],
  ),
  killsTrial(
    'attached-until-accepted',
    { count: attached, redelivery: 'until-accepted', worker: 'attached' },
    (result) => [
      { name: 'daemon killed, attached, until-accepted: nothing said', value: result.lost.length, atMost: 0 },
      { name: 'the same: receipted answers lost', value: result.responsesLost.length, atMost: 0 },
      { name: 'the same: run again', value: result.ranAgain, atMost: 0 },
    ],
  ),
  killsTrial(
    'attached-lasting',
    { count: attached, redelivery: 'until-done', worker: 'lasting' },
    (result) => [
      {
        name: 'daemon killed, its worker goes on: not answered',
        value: result.lost.length + result.reported,
        atMost: 0,
      },
      { name: 'the same: run again in one process', value: result.ranAgainThere, atMost: 0 },
    ],
  ),
];
