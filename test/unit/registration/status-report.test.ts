/** The words of `ygg status` for what is rarely so. */
import { expect, test } from 'vitest';
import type { BrokerStatus } from '../../../src/control-api.ts';
import type { BusAnswer, BusCall } from '../../../src/registration/bus.ts';
import { Rhsm } from '../../../src/registration/rhsm.ts';
import { ServiceUnit } from '../../../src/registration/service-unit.ts';
import { readStatus, type StatusReport } from '../../../src/registration/status-report.ts';

const away: BrokerStatus = { state: 'away', since: 1, url: 'mqtt://b', reason: '', nextAttempt: 0 };

interface World {
  readonly file?: string;
  readonly active?: string;
  readonly sub?: string;
  readonly broker?: BrokerStatus;
}

function report({ file = '', active = '', sub = '', broker = away }: World): Promise<StatusReport> {
  const values: Readonly<Record<string, string>> = { GetUnitFileState: file, GetUnit: '/u', GetUuid: 'id' };
  const bus = {
    async call({ member, args = [] }: BusCall): Promise<BusAnswer> {
      const property = args[1]?.[1] === 'SubState' ? sub : active;
      return { kind: 'values', values: [values[member] ?? property] };
    },
    watch: async () => {},
    close: () => {},
  };
  const connectPeer = async (): Promise<never> => {
    throw new Error('nobody connects');
  };
  const sources = {
    rhsm: async () => new Rhsm({ bus, connectPeer, locale: '', timeout: 1 }),
    unit: async () => new ServiceUnit({ bus, name: 'yggd.service', timeout: 1, jobTimeout: 1 }),
    broker: async () => broker,
  };
  return readStatus(sources, 'yggd.service');
}

test.each([
  ['enabled', 'failed', 'failed', false, 'failed, enabled; journalctl -u yggd.service says why'],
  ['enabled', 'activating', 'auto-restart', false, 'activating (auto-restart), enabled'],
  ['static', 'active', 'exited', true, 'active (exited), static'],
  ['', 'active', 'running', true, 'running'],
  ['', 'inactive', 'dead', false, 'not installed'],
])('a unit that is %s, %s, %s', async (file, active, sub, ok, text) => {
  expect((await report({ file, active, sub })).unit).toMatchObject({ ok, text });
});

test.each<[BrokerStatus['state'], string, string]>([
  ['waiting', 'connect ECONNREFUSED', 'not connected to mqtt://b: connect ECONNREFUSED'],
  ['connecting', '', 'not connected to mqtt://b'],
  ['away', '', 'away, as it was told; yggctl reload brings it back'],
  ['leaving', '', 'leaving'],
  ['', '', 'none: the daemon was given no broker'],
])('a broker that is %j', async (state, reason, text) => {
  expect((await report({ broker: { ...away, state, reason } })).broker).toMatchObject({ ok: false, text });
});
