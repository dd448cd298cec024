/**
 * Bugs that a daemon of this kind may have, each planted into a copy of the build, and the trial that has to notice.
 *
 * A suite that lets one of them pass counts nothing: that is what `planted.test.ts` is for.
 */
import type { Scope } from '../helpers/scope.ts';
import { crashPoints } from './crash-points.ts';
import { createDice } from './dice.ts';
import { type Edit, instrumented } from './instrumented.ts';
import { volatileDisk } from './power-cuts.ts';
import { type BrokerFaultsOptions, brokerFaults } from './trials/broker-faults.ts';
import { type KillsOptions, kills } from './trials/kills.ts';
import { announcedPacket } from './trials/memory.ts';
import { poison, sentAgain } from './trials/rules.ts';

export interface PlantedBug {
  readonly name: string;
  readonly edits: readonly Edit[];
  /** Runs a daemon with the bug; says what was noticed, nothing when nothing was. */
  notice(scope: Scope, program: string): Promise<readonly string[]>;
}

const seed = 7;

/** Kills, or power cuts, at one point in the middle of the flow. */
async function byKills(
  scope: Scope,
  program: string,
  options: Pick<KillsOptions, 'only'> & Partial<KillsOptions>,
): Promise<string[]> {
  const { redelivery = 'until-done' } = options;
  const { lost, reported, responsesLost, ranAgain } = await kills(scope, {
    dice: createDice(seed),
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
  scope: Scope,
  program: string,
  count: Partial<Pick<BrokerFaultsOptions, 'faults' | 'messagesPerFault'>> = {},
): Promise<string[]> {
  const dice = createDice(seed);
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

function found(what: string, count: number): string[] {
  return count === 0 ? [] : [`${what}: ${count}`];
}

/** Acknowledges where the write is made, without waiting for it. */
const acknowledgeAtOnce: Edit = {
  file: 'src/message-router/intake',
  find: 'flushed.then(() => { forget(); message.acknowledge(); }, () => {',
  put: 'message.acknowledge(); flushed.then(forget, () => {',
};

export const plantedBugs: readonly PlantedBug[] = [
  {
    name: 'acknowledges before the commit',
    edits: [...crashPoints, ...volatileDisk(), acknowledgeAtOnce],
    notice: (scope, program) => byKills(scope, program, { only: { point: 'puback-after', ms: 0 } }),
  },
  {
    name: 'acknowledges before the flush',
    edits: [
      ...crashPoints,
      ...volatileDisk(),
      {
        file: 'src/message-router/intake',
        find: 'this.#settle(message, data.messageId, this.#deps.receive(request).flushed);',
        put: 'this.#settle(message, data.messageId, this.#deps.receive(request).committed);',
      },
    ],
    notice: (scope, program) => byKills(scope, program, { only: { point: 'puback-after', ms: 0 } }),
  },
  {
    name: 'acknowledges on the next connection',
    edits: [
      // Flushed when the next connection is there already.
      ...volatileDisk({ shortest: 1_000, longest: 1_800 }),
      {
        file: 'src/mqtt/mqtt-connection',
        find: 'if (this.#filter.writable) writeToStream(',
        put: 'if (globalThis.latest.writable) writeToStream(',
      },
      {
        file: 'src/mqtt/mqtt-connection',
        find: "{ cmd: 'puback', messageId }, this.#filter);",
        put: "{ cmd: 'puback', messageId }, globalThis.latest);",
      },
      {
        file: 'src/mqtt/mqtt-connection',
        find: "this.#state = 'open'; this.#overdue",
        put: "globalThis.latest = this.#filter; this.#state = 'open'; this.#overdue",
      },
    ],
    notice: (scope, program) => byBroker(scope, program, { faults: 8, messagesPerFault: 10 }),
  },
  {
    name: 'acknowledges out of order',
    edits: [
      {
        file: 'src/mqtt/acknowledgements',
        find: 'ticket.state = state;',
        put: "ticket.state = 'left'; if (state === 'acknowledged' && ticket.packetId !== 0) this.#write(ticket.packetId);",
      },
    ],
    notice: byBroker,
  },
  {
    name: 'recognises no repetition',
    edits: [
      {
        file: 'src/message-router/intake',
        find: 'if (this.#isRepetition(message, data)) return;',
        put: '',
      },
    ],
    notice: byBroker,
  },
  {
    name: 'takes an id that died unoffered for done',
    edits: [
      {
        file: 'src/message-router/intake',
        find: "'dead-offered',",
        put: "'dead-offered', 'dead-unoffered',",
      },
    ],
    notice: async (scope, program) => ((await sentAgain(scope, program)) === 1 ? [] : ['never run']),
  },
  {
    name: 'answers Send before the flush',
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
    notice: (scope, program) => byKills(scope, program, { only: { point: 'send-answered', ms: 30 } }),
  },
  {
    name: 'removes a response before its PUBACK',
    edits: [
      {
        file: 'src/message-router/publishing',
        find: "publish('data/out', payload).then(",
        put: "outbox.remove(row.sequence); publish('data/out', payload).then(",
      },
    ],
    notice: byBroker,
  },
  {
    name: 'hands over again what was accepted, under until-accepted',
    edits: [
      ...crashPoints,
      {
        file: 'src/dispatcher/outcomes',
        find: "return redelivery === 'until-accepted' ? dead('outcome-unknown',",
        put: "return redelivery === 'never' ? dead('outcome-unknown',",
      },
    ],
    notice: (scope, program) =>
      byKills(scope, program, {
        redelivery: 'until-accepted',
        only: { point: 'hand-over-after', ms: 0 },
      }),
  },
  {
    name: 'knows no limit of bytes',
    edits: [
      {
        file: 'src/mqtt/packet-filter',
        find: 'if (bytes + length <= this.#maxPacket) {',
        put: 'if (length >= 0) {',
      },
    ],
    async notice(scope, program) {
      const { peak } = await announcedPacket(scope, { mebibytes: 200, program });
      return peak > 150 ? [`${Math.round(peak)} MiB`] : [];
    },
  },
  {
    name: 'ends the connection at a packet that is too large',
    edits: [
      {
        file: 'src/mqtt/packet-filter',
        find: 'this.#skipping = length;',
        put: "this.#refuse('too much'); this.#skipping = length;",
      },
    ],
    notice: byBroker,
  },
  {
    name: 'charges innocents',
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
    async notice(scope, program) {
      const { reasons } = await poison(scope, program);
      const charged = reasons['worker-died'] ?? 0;
      return charged === 1 ? [] : [`${charged} given up`];
    },
  },
];

/** Plants it, and says what was noticed. */
export async function tryOut(scope: Scope, { edits, notice }: PlantedBug): Promise<readonly string[]> {
  return await notice(scope, instrumented(scope, edits));
}
