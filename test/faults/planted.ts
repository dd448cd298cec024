/**
 * Bugs that a daemon of this kind may have, each planted into a copy of the build, and the trial that has to notice.
 *
 * A suite that lets one of them pass counts nothing: that is what `planted.test.ts` is for.
 */
import { Scope } from '../helpers/scope.ts';
import { crashPoints } from './crash-points.ts';
import type { Dice } from './dice.ts';
import { type Edit, instrumented } from './instrumented.ts';
import { volatileDisk } from './power-cuts.ts';
import { type BrokerFaultsOptions, brokerFaults } from './trials/broker-faults.ts';
import { type KillsOptions, kills } from './trials/kills.ts';
import { announcedPacket } from './trials/memory.ts';
import { poison, sentAgain } from './trials/rules.ts';

export interface PlantedBug {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** What names it among what may be noticed. */
  readonly sign: Sign;
  /** Runs a daemon with the bug; says what was noticed, nothing when nothing was. */
  notice(site: Site): Promise<readonly Finding[]>;
}

type Sign =
  | 'requests lost'
  | 'responses lost'
  | 'given up'
  | 'run again'
  | 'never run'
  | 'wrong acknowledgements'
  | 'stuck'
  | 'MiB';

interface Finding {
  readonly sign: Sign;
  readonly count: number;
}

interface Site {
  readonly scope: Scope;
  readonly dice: Dice;
  /** The build with the bug. */
  readonly program: string;
}

/** Kills, or power cuts, at one point in the middle of the flow. */
async function byKills(
  { scope, dice, program }: Site,
  options: Pick<KillsOptions, 'only'> & Partial<KillsOptions>,
): Promise<Finding[]> {
  const { redelivery = 'until-done' } = options;
  const { lost, reported, responsesLost, ranAgain } = await kills(scope, {
    dice,
    messages: 400,
    kills: 4,
    slots: 16,
    redelivery,
    program,
    crashing: program,
    patience: 5_000,
    ...options,
  });
  return [
    ...found('requests lost', lost.length),
    ...found('responses lost', responsesLost.length),
    ...found('given up', redelivery === 'until-done' ? reported : 0),
    ...found('run again', redelivery === 'until-accepted' ? ranAgain : 0),
  ];
}

async function byBroker(
  { scope, dice, program }: Site,
  count: Partial<Pick<BrokerFaultsOptions, 'faults' | 'messagesPerFault' | 'onlyEnds'>> = {},
): Promise<Finding[]> {
  const result = await brokerFaults(scope, {
    dice,
    faults: 12,
    messagesPerFault: 40,
    patience: 8_000,
    program,
    ...count,
  });
  const { lost, ranAgain, wrong, stuck } = result;
  return [
    ...found('requests lost', lost.length),
    ...found('run again', ranAgain),
    ...found('wrong acknowledgements', wrong.length),
    ...found('stuck', stuck === undefined ? 0 : 1),
  ];
}

function found(sign: Sign, count: number): Finding[] {
  return count === 0 ? [] : [{ sign, count }];
}

/** Acknowledges where the write is made, without waiting for it. */
const acknowledgeAtOnce: Edit = {
  file: 'src/message-router/intake',
  find: 'this.#flushing.add(flushed, { message, messageId, flushed });',
  put: `message.acknowledge();
    const told = { ...message, acknowledge() {}, leave() {} };
    this.#flushing.add(flushed, { message: told, messageId, flushed });`,
};

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'acknowledges before the commit',
    sign: 'requests lost',
    edits: [...crashPoints, ...volatileDisk(), acknowledgeAtOnce],
    notice: (site) => byKills(site, { only: { point: 'puback-after', ms: 0 } }),
  },
  {
    name: 'acknowledges before the flush',
    sign: 'requests lost',
    edits: [
      ...crashPoints,
      ...volatileDisk(),
      {
        file: 'src/message-router/intake',
        find: 'this.#settle(message, data.messageId, this.#deps.receive(request).flushed);',
        put: 'this.#settle(message, data.messageId, this.#deps.receive(request).committed);',
      },
    ],
    notice: (site) => byKills(site, { only: { point: 'puback-after', ms: 0 } }),
  },
  {
    name: 'acknowledges on the next connection',
    sign: 'wrong acknowledgements',
    edits: [
      // Flushed when the next connection is there already.
      ...volatileDisk({ shortest: 1_000, longest: 1_800 }),
      {
        file: 'src/mqtt/mqtt-connection',
        find: 'this.#filter.send(puback(packetId));',
        put: 'globalThis.latest.send(puback(packetId));',
      },
      {
        file: 'src/mqtt/mqtt-connection',
        find: "this.#state = 'open'; this.#overdue",
        put: "globalThis.latest = this.#filter; this.#state = 'open'; this.#overdue",
      },
    ],
    notice: (site) => byBroker(site, { faults: 6, onlyEnds: true }),
  },
  {
    name: 'acknowledges out of order',
    sign: 'wrong acknowledgements',
    edits: [
      {
        file: 'src/mqtt/acknowledgements',
        find: 'ticket.state = state;',
        put: "ticket.state = 'left'; if (state === 'acknowledged' && ticket.packetId !== 0) this.#write(ticket.packetId);",
      },
    ],
    notice: (site) => byBroker(site),
  },
  {
    name: 'recognises no repetition',
    sign: 'run again',
    edits: [
      {
        file: 'src/message-router/intake',
        find: 'if (this.#isRepetition(message, data)) return;',
        put: '',
      },
    ],
    notice: (site) => byBroker(site),
  },
  {
    name: 'takes an id that died unoffered for done',
    sign: 'never run',
    edits: [
      {
        file: 'src/message-router/intake',
        find: "'dead-offered',",
        put: "'dead-offered', 'dead-unoffered',",
      },
    ],
    notice: async ({ scope, program }) => found('never run', (await sentAgain(scope, program)) === 1 ? 0 : 1),
  },
  {
    name: 'answers Send before the flush',
    sign: 'responses lost',
    edits: [
      ...crashPoints,
      ...volatileDisk(),
      {
        file: 'src/dispatcher/returns',
        find: 'const kept = receipt.flushed.then(',
        put: 'const kept = receipt.committed.then(',
      },
      // A response that is delivered at once is not missed.
      {
        file: 'src/dispatcher/returns',
        find: "signals.nudge('data-return', { sequence });",
        put: "setTimeout(() => signals.nudge('data-return', { sequence }), 150);",
      },
    ],
    // Late enough for the worker to have heard of it.
    notice: (site) => byKills(site, { only: { point: 'send-answered', ms: 30 } }),
  },
  {
    name: 'removes a response before its PUBACK',
    sign: 'requests lost',
    edits: [
      {
        file: 'src/message-router/publishing',
        find: "publish('data/out', payload).then(",
        put: "outbox.remove(row.sequence); publish('data/out', payload).then(",
      },
    ],
    notice: (site) => byBroker(site),
  },
  {
    name: 'hands over again what was accepted, under until-accepted',
    sign: 'run again',
    edits: [
      ...crashPoints,
      {
        file: 'src/dispatcher/outcomes',
        find: "return redelivery === 'until-accepted' ? dead('outcome-unknown',",
        put: "return redelivery === 'never' ? dead('outcome-unknown',",
      },
    ],
    notice: (site) =>
      byKills(site, {
        redelivery: 'until-accepted',
        only: { point: 'hand-over-after', ms: 0 },
      }),
  },
  {
    name: 'knows no limit of bytes',
    sign: 'MiB',
    edits: [
      {
        file: 'src/mqtt/packet-filter',
        find: '&& bytes + length > this.#options.maxPacket;',
        put: '&& length < 0;',
      },
    ],
    async notice({ scope, program }) {
      const { peak } = await announcedPacket(scope, { mebibytes: 200, program });
      return found('MiB', peak > 150 ? Math.round(peak) : 0);
    },
  },
  {
    name: 'ends the connection at a packet that is too large',
    sign: 'stuck',
    edits: [
      {
        file: 'src/mqtt/packet-filter',
        find: 'const kept = this.#isOversize(header)',
        put: "if (this.#isOversize(header)) this.#refuse('too much'); $&",
      },
    ],
    notice: (site) => byBroker(site),
  },
  {
    name: 'charges innocents',
    sign: 'given up',
    edits: [
      {
        file: 'src/dispatcher/outcomes',
        find: 'if (!loss.alone) return again({ suspect: true });',
        put: '',
      },
      {
        file: 'src/dispatcher/outcomes',
        find: 'return again({ workerDeaths: 1, suspect: true });',
        put: 'return again({ workerDeaths: 1 });',
      },
    ],
    async notice({ scope, program }) {
      const { reasons } = await poison(scope, program);
      return found('given up', (reasons['worker-died'] ?? 0) - 1);
    },
  },
];

/** Plants it, and says how often what names it was found; nothing when it was not. */
export async function tryOut({ edits, sign, notice }: PlantedBug, dice: Dice): Promise<number> {
  const scope = new Scope();
  try {
    const findings = await notice({ scope, dice, program: instrumented(scope, edits) });
    return findings.find((finding) => finding.sign === sign)?.count ?? 0;
  } finally {
    await scope.end();
  }
}
