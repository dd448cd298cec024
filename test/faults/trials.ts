/** Every trial, in the order in which they run. */
import { hostileBroker } from '../security/hostile/broker.ts';
import { hostileWorker } from '../security/hostile/worker.ts';
import { crashPoints } from './crash-points.ts';
import { type Edit, instrumented } from './instrumented.ts';
import { plantedBugs, tryOut } from './planted.ts';
import { volatileDisk } from './power-cuts.ts';
import type { Figure } from './report.ts';
import type { Trial } from './trial.ts';
import { badInputs } from './trials/bad-inputs.ts';
import { brokerFaults } from './trials/broker-faults.ts';
import { brokerKills } from './trials/broker-kills.ts';
import { diskFaults } from './trials/disk-faults.ts';
import { type KillsOptions, type KillsResult, kills } from './trials/kills.ts';
import { announcedPacket, backlog, flood, largeContent, type Peak } from './trials/memory.ts';
import { brokerRecoveries, daemonRecoveries } from './trials/recovery.ts';
import { poison, sentAgain } from './trials/rules.ts';
import { workerFaults } from './trials/worker-faults.ts';

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

export const trials: readonly Trial[] = [
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
  {
    name: 'broker',
    async run({ scope, dice, share }): Promise<Figure[]> {
      const result = await brokerFaults(scope, {
        dice,
        faults: Math.ceil(200 * share),
        messagesPerFault: 60,
      });
      const { faults, wrong, stuck, lost, ranAgain, acknowledged, answered, reported } = result;
      return [
        {
          name: 'broker faults: lost or wrongly acknowledged',
          value: lost.length + wrong.length + (stuck === undefined ? 0 : 1),
          atMost: 0,
          detail: `${faults} faults, ${acknowledged} messages, ${answered} answered, ${reported} reported`,
        },
        { name: 'broker faults: run again', value: ranAgain, atMost: 0 },
      ];
    },
  },
  {
    name: 'broker-killed',
    async run({ scope, dice, share }): Promise<Figure[]> {
      const count = Math.ceil(100 * share);
      const { messages, neverRun, ranAgain } = await brokerKills(scope, { dice, kills: count });
      return [
        {
          name: 'mosquitto killed: sent again and never run',
          value: neverRun,
          atMost: 0,
          detail: `${count} kills and stops, ${messages} messages`,
        },
        { name: 'mosquitto killed: run again', value: ranAgain, atMost: 0 },
      ];
    },
  },
  {
    name: 'workers',
    async run({ scope, dice, share }): Promise<Figure[]> {
      const { faults, untilDone, untilAccepted, bystander, recoveries } = await workerFaults(scope, {
        dice,
        faults: Math.ceil(200 * share),
        workers: 6,
        kind: 'plain',
      });
      const acknowledged = untilDone.acknowledged + untilAccepted.acknowledged;
      return [
        {
          name: 'worker faults: lost',
          value: untilDone.lost.length + untilDone.reported + untilAccepted.lost.length,
          atMost: 0,
          detail: `${faults} faults, ${acknowledged} messages, ${untilAccepted.reported} reported`,
        },
        { name: 'worker faults, until-accepted: run again', value: untilAccepted.ranAgain, atMost: 0 },
        {
          name: 'worker faults: delay of another worker',
          value: Math.max(...bystander),
          unit: 'ms',
          atMost: 2_000,
          detail: `${bystander.length} messages`,
        },
        {
          name: 'worker killed to registered, p99',
          value: percentile(recoveries, 0.99),
          unit: 'ms',
          atMost: 3_000,
          detail: `${recoveries.length} kills`,
        },
      ];
    },
  },
  {
    name: 'attached-workers',
    async run({ scope, dice, share }): Promise<Figure[]> {
      const { faults, untilDone, untilAccepted, bystander } = await workerFaults(scope, {
        dice,
        faults: Math.ceil(200 * share),
        workers: 6,
        kind: 'attached',
      });
      const acknowledged = untilDone.acknowledged + untilAccepted.acknowledged;
      return [
        {
          name: 'attached workers killed and cut: lost',
          value: untilDone.lost.length + untilDone.reported + untilAccepted.lost.length,
          atMost: 0,
          detail: `${faults} faults, ${acknowledged} messages, ${untilAccepted.reported} reported`,
        },
        {
          name: 'the same: receipted answers lost',
          value: untilDone.responsesLost.length + untilAccepted.responsesLost.length,
          atMost: 0,
        },
        {
          name: 'the same: run again in one process',
          value: untilDone.ranAgainThere + untilAccepted.ranAgainThere,
          atMost: 0,
        },
        { name: 'the same, until-accepted: run again', value: untilAccepted.ranAgain, atMost: 0 },
        {
          name: 'the same: delay of another worker',
          value: Math.max(...bystander),
          unit: 'ms',
          atMost: 2_000,
          detail: `${bystander.length} messages`,
        },
      ];
    },
  },
  {
    name: 'rules',
    async run({ scope }): Promise<Figure[]> {
      const { answered, reasons } = await poison(scope);
      return [
        { name: 'message that kills its worker: others answered', value: answered, atLeast: 7 },
        { name: '... and given up itself', value: reasons['worker-died'] ?? 0, atLeast: 1, atMost: 1 },
        {
          name: 'found no worker, sent again: run',
          value: await sentAgain(scope),
          atLeast: 1,
          atMost: 1,
        },
      ];
    },
  },
  {
    name: 'daemon-recovery',
    async run({ scope, share }): Promise<Figure[]> {
      const spans = await daemonRecoveries(scope, Math.ceil(100 * share));
      return [recovery('daemon started again to first hand-over, p99', spans, 2_000)];
    },
  },
  {
    name: 'broker-recovery',
    async run({ scope, dice, share }): Promise<Figure[]> {
      const spans = await brokerRecoveries(scope, { dice, times: Math.ceil(100 * share) });
      return [recovery('broker back to subscribed, p99', spans, 5_000)];
    },
  },
  {
    name: 'memory',
    async run({ scope, share }): Promise<Figure[]> {
      const figure = ({ peak, detail }: Peak): Figure => ({
        name: 'peak anonymous memory',
        value: peak,
        unit: 'MiB',
        atMost: 150,
        detail,
      });
      const waiting = Math.ceil(1_000_000 * share);
      const figures: Figure[] = [];
      figures.push(figure(await announcedPacket(scope, { mebibytes: 200 })));
      figures.push(figure(await backlog(scope, { messages: 900 * Math.max(share, 0.3), size: mebibyte })));
      figures.push(figure(await largeContent(scope, 1_024)));
      figures.push(figure(await flood(scope, 20)));
      figures.push(figure(await backlog(scope, { messages: waiting / 10, size: 100 })));
      figures.push(figure(await backlog(scope, { messages: waiting, size: 100, limit: '2500000/8GiB' })));
      return figures;
    },
  },
  {
    name: 'disk',
    async run({ scope, dice, share }): Promise<Figure[]> {
      const result = await diskFaults(scope, { dice, faults: Math.ceil(200 * share) });
      const { faults, kills: killed, ends, lost, reported, responsesLost, recoveries } = result;
      return [
        {
          name: 'disk faults: acknowledged or answered, and lost',
          value: lost.length + reported + responsesLost.length,
          atMost: 0,
          detail: `${faults} faults, ${killed} of them with a kill, ${result.acknowledged} messages`,
        },
        { name: 'disk faults: ends nobody asked for', value: ends, atMost: 0 },
        {
          name: 'disk well again to the next answer, longest',
          value: Math.max(...recoveries),
          unit: 'ms',
          atMost: 10_000,
          detail: `median ${Math.round(percentile(recoveries, 0.5))} ms`,
        },
      ];
    },
  },
  {
    name: 'inputs',
    async run({ scope, dice, share }): Promise<Figure[]> {
      const inputs = Math.ceil(1_000_000 * share);
      const { counts, failures } = badInputs(scope, { seed: dice.upTo(2 ** 31), inputs });
      for (const failure of failures.slice(0, 10)) console.error(failure);
      const told = counts.map(({ name, inputs: count, refused }) => `${count} ${name} (${refused} refused)`);
      return [
        {
          name: 'bad inputs: crashes, hangs, errors without a code',
          value: failures.length,
          atMost: 0,
          detail: told.join(', '),
        },
      ];
    },
  },
  {
    name: 'planted',
    async run({ scope, dice, share }): Promise<Figure[]> {
      const tries = Math.ceil(10 * share);
      const seen = new Map(plantedBugs.map((bug) => [bug, 0]));
      for (let turn = 0; turn < tries; turn += 1) {
        // Most of their time they wait, so they do it together.
        const found = plantedBugs.map((bug) =>
          tryOut(bug, { scope, dice: dice.fork(`${bug.name} ${turn}`) }),
        );
        const counts = await Promise.all(found);
        for (const [index, bug] of plantedBugs.entries()) {
          if ((counts[index] ?? 0) > 0) seen.set(bug, (seen.get(bug) ?? 0) + 1);
        }
      }
      return [...seen].map(([{ name, sign }, value]) => ({
        name: `noticed: it ${name}`,
        value,
        atLeast: 1,
        detail: `of ${tries} tries, by ${sign}`,
      }));
    },
  },
  {
    name: 'hostile-broker',
    async run({ scope, dice, share }): Promise<Figure[]> {
      const inputs = Math.ceil(1_000_000 * share);
      const result = await hostileBroker(scope, { seed: dice.upTo(2 ** 31), inputs });
      for (const failure of result.failures.slice(0, 10)) console.error(failure);
      return [
        {
          name: 'a hostile broker: crashes, hangs, foreign topics',
          value: result.failures.length,
          atMost: 0,
          detail: `${result.inputs} packets on ${result.connections} connections`,
        },
        {
          name: 'the same: packets that were taken for messages',
          value: result.taken,
          // Less would mean that nobody listened.
          atLeast: inputs / 20,
        },
      ];
    },
  },
  {
    name: 'hostile-worker',
    async run({ scope, dice, share }): Promise<Figure[]> {
      const inputs = Math.ceil(1_000_000 * share);
      const result = await hostileWorker(scope, { seed: dice.upTo(2 ** 31), inputs });
      for (const failure of result.failures.slice(0, 10)) console.error(failure);
      return [
        {
          name: 'a hostile worker: crashes, hangs, others held up',
          value: result.failures.length,
          atMost: 0,
          detail: `${result.calls} calls, ${result.frames} frames`,
        },
        {
          name: 'the same: calls and frames that were understood',
          value: result.understood,
          atLeast: inputs / 20,
        },
      ];
    },
  },
];

const mebibyte = 1024 * 1024;

function recovery(name: string, spans: readonly number[], atMost: number): Figure {
  return {
    name,
    value: percentile(spans, 0.99),
    unit: 'ms',
    atMost,
    detail: `${spans.length} times, median ${Math.round(percentile(spans, 0.5))} ms`,
  };
}

function percentile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * part))] ?? Number.NaN;
}
