/** Every trial, in the order in which they run. */
import type { Scope } from '../helpers/scope.ts';
import { hostileBroker } from '../security/hostile/broker.ts';
import { hostileWorker } from '../security/hostile/worker.ts';
import { killTrials } from './kill-trials.ts';
import { plantedBugs, tryOut } from './planted.ts';
import type { Figure } from './report.ts';
import type { Trial } from './trial.ts';
import { badInputs } from './trials/bad-inputs.ts';
import { brokerFaults } from './trials/broker-faults.ts';
import { brokerKills } from './trials/broker-kills.ts';
import { diskFaults } from './trials/disk-faults.ts';
import { announcedPacket, backlog, flood, largeContent, type Peak } from './trials/memory.ts';
import { brokerRecoveries, daemonRecoveries } from './trials/recovery.ts';
import { poison, sentAgain } from './trials/rules.ts';
import { workerFaults } from './trials/worker-faults.ts';

const mebibyte = 1024 * 1024;

export const trials: readonly Trial[] = [
  ...killTrials,
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
  memoryTrial('memory-packet', (scope) => announcedPacket(scope, { mebibytes: 200 })),
  memoryTrial('memory-messages', (scope, share) =>
    backlog(scope, { messages: 900 * Math.max(share, 0.3), size: mebibyte }),
  ),
  memoryTrial('memory-content', (scope) => largeContent(scope, 1_024)),
  {
    name: 'memory-log',
    async run({ scope }): Promise<Figure[]> {
      const peak = await flood(scope, 20);
      return [memory(peak), { name: 'lines it printed in a second', value: peak.rate, atLeast: 10_000 }];
    },
  },
  memoryTrial('memory-backlog', (scope, share) => backlog(scope, { messages: 100_000 * share, size: 100 })),
  memoryTrial('memory-million', (scope, share) =>
    backlog(scope, { messages: 1_000_000 * share, size: 100, limit: '2500000/8GiB' }),
  ),
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
    async run({ dice, share }): Promise<Figure[]> {
      const tries = Math.ceil(10 * share);
      const seen = new Map(plantedBugs.map((bug) => [bug, 0]));
      for (let turn = 0; turn < tries; turn += 1) {
        // Most of their time they wait, so they do it together.
        const found = plantedBugs.map((bug) => tryOut(bug, dice.fork(`${bug.name} ${turn}`)));
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
        {
          name: 'the same, over websockets',
          value: result.overWebsockets,
          atLeast: inputs / 80,
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

function memory({ peak, detail }: Peak): Figure {
  return { name: 'peak anonymous memory', value: peak, unit: 'MiB', atMost: 150, detail };
}

function memoryTrial(name: string, provoke: (scope: Scope, share: number) => Promise<Peak>): Trial {
  return {
    name,
    async run({ scope, share }) {
      return [memory(await provoke(scope, share))];
    },
  };
}

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
