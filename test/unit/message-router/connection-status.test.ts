import { describe, expect, test } from 'vitest';
import { silentLogger } from '../../../src/base/log.ts';
import type { Worker } from '../../../src/datastore.ts';
import {
  ConnectionStatusPublisher,
  type StatusTimes,
} from '../../../src/message-router/connection-status.ts';
import { differences } from '../../helpers/captures.ts';
import { HandClock } from '../../helpers/hand-clock.ts';
import { newId } from './rig.ts';

interface Status {
  readonly message_id: string;
  readonly sent: string;
  readonly content: {
    readonly dispatchers: Record<string, unknown>;
    readonly state: string;
    readonly tags?: unknown;
  };
}

function create({ statusTimes }: { readonly statusTimes?: StatusTimes } = {}) {
  const clock = new HandClock();
  const said: string[] = [];
  const workers: Worker[] = [];
  const host = { tags: {} as Record<string, string> };
  /** Ends the say under way; without it each is acknowledged at once. */
  let hold: Array<() => void> | undefined;
  let refusals = 0;
  const status = new ConnectionStatusPublisher({
    host: {
      facts: () => ({
        insights_id: '',
        machine_id: '3d1219c7-c4c5-404a-aa1f-6d2a48adfda4',
        bios_uuid: '',
        subscription_manager_id: 'test-client-0001',
        ip_addresses: ['192.0.2.2'],
        mac_addresses: ['02:fc:00:00:00:01', 'ca:f6:c6:38:79:dd', '12:a5:2a:87:22:f0', '00:00:00:00:00:00'],
        fqdn: 'vm',
      }),
      tags: () => host.tags,
      onChange: () => () => {},
    },
    workers: () => workers,
    say(payload) {
      if (refusals > 0) {
        refusals -= 1;
        return Promise.reject(new Error('Too much waits to be said.'));
      }
      said.push(Buffer.from(payload).toString());
      return hold ? new Promise((resolve) => hold?.push(resolve)) : Promise.resolve();
    },
    newId,
    clock,
    log: silentLogger,
    statusTimes,
  });
  return {
    clock,
    status,
    said,
    parsed: (): Status[] => said.map((text) => JSON.parse(text)),
    register(handler: string, features: Record<string, string> = {}) {
      workers.push({
        ...{ handler, features, pid: 1, file: '', detached: false, redelivery: 'until-accepted' },
        ...{ slots: 1, timeout: 1, registeredAt: 0 },
      } as Worker);
    },
    workers,
    host,
    /** So many are not taken. */
    refuse(count: number): void {
      refusals = count;
    },
    holdSaying(): Array<() => void> {
      hold = [];
      return hold;
    },
    /** Lets promises that are settled call back. */
    settle: () => new Promise((resolve) => setImmediate(resolve)),
  };
}

describe('the connection status', () => {
  test('is, field by field, what the Go daemon says', async () => {
    const { clock, status, said, register, workers, host, settle } = create();
    status.onUp({ afterLoss: false });
    expect(differences(said[0] ?? '', 'connection-status-initial')).toEqual([]);
    await settle();
    register('echo');
    status.changed();
    clock.wind(100);
    // The document asks for an object where the capture has null.
    const instead = { '.content.dispatchers': { echo: {} } };
    expect(differences(said[1] ?? '', 'connection-status-echo-registered', instead)).toEqual([]);
    await settle();
    host.tags = { f: '1.5', hot: 'true', more: 'x', rack: '4', site: 'lab', when: '2021-01-02T03:04:05Z' };
    status.changed();
    clock.wind(100);
    expect(differences(said[2] ?? '', 'connection-status-with-tags', instead)).toEqual([]);
    await settle();
    workers.length = 0;
    host.tags = {};
    status.changed();
    clock.wind(100);
    expect(differences(said[3] ?? '', 'connection-status-worker-death')).toEqual([]);
  });

  test('never seems older than one of an earlier run, whatever the clock says', () => {
    const kept: number[] = [];
    const { clock, status, parsed } = create({
      statusTimes: { last: Date.UTC(2030, 0, 1), keep: (sent) => kept.push(sent) },
    });
    expect(clock.now()).toBeLessThan(Date.UTC(2030, 0, 1));
    status.onUp({ afterLoss: false });
    expect(parsed()[0]?.sent).toBe('2030-01-01T00:00:00.001Z');
    expect(kept).toEqual([Date.UTC(2030, 0, 1) + 1]);
  });

  test('the last will too, but for the nulls', () => {
    const { status } = create();
    const instead = {
      '.content.canonical_facts.ip_addresses': [],
      '.content.canonical_facts.mac_addresses': [],
      '.content.dispatchers': {},
    };
    expect(differences(Buffer.from(status.will()).toString(), 'last-will', instead)).toEqual([]);
  });

  test('is said after every connect, and the changes of a moment together', async () => {
    const { clock, status, parsed, register, settle } = create();
    status.onUp({ afterLoss: false });
    await settle();
    for (const handler of ['c', 'a', 'b']) {
      register(handler);
      status.changed();
    }
    clock.wind(100);
    expect(parsed().map(({ content }) => Object.keys(content.dispatchers))).toEqual([[], ['a', 'b', 'c']]);
    status.onDown();
    status.onUp({ afterLoss: false });
    expect(parsed()).toHaveLength(3);
  });

  test('is not said twice the same for nothing', async () => {
    const { clock, status, parsed, register, workers, settle } = create();
    status.onUp({ afterLoss: false });
    await settle();
    register('echo');
    status.changed();
    workers.length = 0;
    status.changed();
    clock.wind(60_000);
    expect(parsed()).toHaveLength(1);
  });

  test('waits for its PUBACK, then says what it has become', async () => {
    const { clock, status, parsed, register, holdSaying, settle } = create();
    const saying = holdSaying();
    status.onUp({ afterLoss: false });
    for (const handler of ['a', 'b', 'c']) {
      register(handler);
      status.changed();
      clock.wind(100);
    }
    expect(parsed()).toHaveLength(1);
    saying.shift()?.();
    await settle();
    expect(parsed()).toHaveLength(2);
    expect(Object.keys(parsed()[1]?.content.dispatchers ?? {})).toEqual(['a', 'b', 'c']);
  });

  test('is said again when there was no place for it', async () => {
    const { clock, status, refuse, parsed, register, settle } = create();
    status.onUp({ afterLoss: false });
    await settle();
    refuse(2);
    register('echo');
    status.changed();
    for (let wait = 0; wait < 5; wait += 1) {
      clock.wind(1_000);
      await settle();
    }
    expect(parsed().map(({ content }) => content.dispatchers)).toEqual([{}, { echo: {} }]);
  });

  test('is said once more when the will of a lost connection may have come after it', async () => {
    const { clock, status, parsed, settle } = create();
    status.onUp({ afterLoss: true });
    await settle();
    clock.wind(14_999);
    expect(parsed()).toHaveLength(1);
    clock.wind(1);
    expect(parsed()).toHaveLength(2);
    clock.wind(60_000);
    expect(parsed()).toHaveLength(2);
  });

  test('a loss in between calls that off', async () => {
    const { clock, status, parsed } = create();
    status.onUp({ afterLoss: true });
    status.onDown();
    clock.wind(60_000);
    expect(parsed()).toHaveLength(1);
  });

  test('time never goes back, and every message has a new id', async () => {
    const { clock, status, parsed, settle } = create();
    for (let index = 0; index < 5; index += 1) {
      status.onUp({ afterLoss: false });
      await settle();
      status.onDown();
      clock.wind(index === 2 ? -3_600_000 : 10);
    }
    const sent = parsed().map((message) => Date.parse(message.sent));
    expect(sent).toEqual([...sent].sort((a, b) => a - b));
    expect(new Set(sent).size).toBe(5);
    expect(new Set(parsed().map((message) => message.message_id)).size).toBe(5);
  });

  test('after offline nothing more is said on the connection', async () => {
    const { clock, status, parsed, register } = create();
    status.onUp({ afterLoss: true });
    await status.offline();
    register('echo');
    status.changed();
    clock.wind(60_000);
    expect(parsed().map(({ content }) => content.state)).toEqual(['online', 'offline']);
  });
});
