/** Every trial, in the order in which they run. */
import { crashPoints } from './crash-points.ts';
import { instrumented } from './instrumented.ts';
import type { Figure } from './report.ts';
import type { Trial, TrialSettings } from './trial.ts';
import { type KillsOptions, type KillsResult, kills } from './trials/kills.ts';

type KillsCount = Pick<KillsOptions, 'messages' | 'kills'>;

/** Kills strike at random and at named points in turns. */
function killed({ scope, dice }: TrialSettings, rest: Omit<KillsOptions, 'dice'>): Promise<KillsResult> {
  return kills(scope, { dice, crashing: instrumented(scope, crashPoints), ...rest });
}

function done({ kills: struck, atPoints, acknowledged, answered, reported }: KillsResult): string {
  return `${struck} kills (${atPoints} at named points), ${acknowledged} messages, ${answered} answered, ${reported} reported`;
}

const inbound: KillsCount = { messages: 50_000, kills: 100 };
const outbound: KillsCount = { messages: 10_000, kills: 50 };

function part({ long }: TrialSettings, { messages, kills: count }: KillsCount): KillsCount {
  return long ? { messages, kills: count } : { messages: messages / 10, kills: count / 10 };
}

export const trials: readonly Trial[] = [
  {
    name: 'inbound-until-done',
    async run(settings): Promise<Figure[]> {
      const result = await killed(settings, { redelivery: 'until-done', ...part(settings, inbound) });
      return [
        {
          name: 'daemon killed, until-done: not answered',
          value: result.lost.length + result.reported,
          atMost: 0,
          detail: done(result),
        },
        {
          name: 'daemon killed, until-done: run again',
          value: result.ranAgain,
          atMost: result.kills * result.window,
        },
      ];
    },
  },
  {
    name: 'inbound-until-accepted',
    async run(settings): Promise<Figure[]> {
      const result = await killed(settings, { redelivery: 'until-accepted', ...part(settings, inbound) });
      return [
        {
          name: 'daemon killed, until-accepted: nothing said',
          value: result.lost.length,
          atMost: 0,
          detail: done(result),
        },
        { name: 'daemon killed, until-accepted: run again', value: result.ranAgain, atMost: 0 },
      ];
    },
  },
  {
    name: 'outbound-mqtt',
    async run(settings): Promise<Figure[]> {
      const result = await killed(settings, {
        redelivery: 'until-done',
        via: 'mqtt',
        ...part(settings, outbound),
      });
      return [
        {
          name: 'daemon killed, MQTT: answered Sends lost',
          value: result.responsesLost.length,
          atMost: 0,
          detail: done(result),
        },
      ];
    },
  },
  {
    name: 'outbound-http',
    async run(settings): Promise<Figure[]> {
      const result = await killed(settings, {
        redelivery: 'until-done',
        via: 'http',
        ...part(settings, outbound),
      });
      return [
        {
          name: 'daemon killed, HTTP: answered Sends lost',
          value: result.responsesLost.length,
          atMost: 0,
          detail: done(result),
        },
      ];
    },
  },
];
