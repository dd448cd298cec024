/**
 * `ygg status`: whether the host is registered, its service runs, and the broker is there. What cannot be learnt is unknown.
 */
import { codeOf, reasonOf } from '../base/errors.ts';
import type { BrokerStatus } from '../control-api.ts';
import type { Rhsm } from './rhsm.ts';
import type { ServiceUnit, UnitState } from './service-unit.ts';
import { type LiveScreen, markedLine } from './steps.ts';

export interface StatusSources {
  readonly rhsm: () => Promise<Rhsm>;
  readonly unit: () => Promise<ServiceUnit>;
  /** What the running daemon says; throws `YGG_NOT_RUNNING`, `YGG_NOT_ALLOWED`. */
  readonly broker: () => Promise<BrokerStatus>;
}

export interface StatusReport {
  readonly rhsm: Line;
  readonly unit: Line;
  readonly broker: Line;
  /** All three are as they should be. */
  readonly ok: boolean;
}

interface Line {
  readonly subject: string;
  readonly ok: boolean;
  readonly text: string;
  readonly fields: Readonly<Record<string, unknown>>;
}

/** Never throws: a source that fails is a line that says so. */
export async function readStatus(sources: StatusSources, unitName: string): Promise<StatusReport> {
  const [rhsm, unit, broker] = await Promise.all([
    lineOf('RHSM', async () => rhsmLine(await (await sources.rhsm()).consumer())),
    lineOf(unitName, async () => unitLine(await (await sources.unit()).state(), unitName)),
    lineOf('broker', async () => brokerLine(await sources.broker())),
  ]);
  return { rhsm, unit, broker, ok: rhsm.ok && unit.ok && broker.ok };
}

export function statusText({ rhsm, unit, broker }: StatusReport, screen: LiveScreen): string {
  return [rhsm, unit, broker]
    .map(({ ok, subject, text }) => markedLine(screen, ok ? 'good' : 'bad', subject, text))
    .join('\n');
}

export function statusFields({ ok, rhsm, unit, broker }: StatusReport): Readonly<Record<string, unknown>> {
  return { ok, rhsm: rhsm.fields, unit: unit.fields, broker: broker.fields };
}

type Found = Omit<Line, 'subject'>;

async function lineOf(subject: string, read: () => Promise<Found>): Promise<Line> {
  try {
    return { subject, ...(await read()) };
  } catch (error) {
    // Where it was looked for is what yggctl says; here it is one line.
    const reason = codeOf(error) === 'YGG_NOT_RUNNING' ? 'no daemon runs' : reasonOf(error);
    return { subject, ok: false, text: `unknown: ${reason}`, fields: { state: 'unknown', reason } };
  }
}

function rhsmLine(consumer: string): Found {
  if (consumer === '') {
    const text = 'not registered; ygg register does it';
    return { ok: false, text, fields: { state: 'unregistered', consumer: null } };
  }
  return { ok: true, text: `registered as ${consumer}`, fields: { state: 'registered', consumer } };
}

function unitLine({ up: ok, file, active, sub }: UnitState, name: string): Found {
  const fields = { name, state: active, sub_state: sub || null, file_state: file || null };
  if (file === '' && active === 'inactive') return { ok, text: 'not installed', fields };
  const words = [unitWords(active, sub), file].filter((word) => word !== '').join(', ');
  return { ok, text: `${words}${unitAdvice(active, name)}`, fields };
}

function unitWords(active: string, sub: string): string {
  if (active === 'active') return sub === 'running' ? sub : `active (${sub})`;
  if (active === 'inactive') return 'stopped';
  return active === 'failed' ? active : `${active} (${sub})`;
}

function unitAdvice(active: string, name: string): string {
  if (active === 'inactive') return '; ygg register starts it';
  return active === 'failed' ? `; journalctl -u ${name} says why` : '';
}

const brokerWords: Readonly<Record<BrokerStatus['state'], string>> = {
  connected: 'connected',
  connecting: 'not connected',
  waiting: 'not connected',
  away: 'away, as it was told; yggctl reload brings it back',
  leaving: 'leaving',
  '': 'none: the daemon was given no broker',
};

function brokerLine({ state, url, reason }: BrokerStatus): Found {
  const ok = state === 'connected';
  const to = (ok || state === 'connecting' || state === 'waiting') && url !== '' ? ` to ${url}` : '';
  const why = !ok && reason !== '' ? `: ${reason}` : '';
  const fields = { state: state || 'none', url: url || null, reason: reason || null };
  return { ok, text: `${brokerWords[state]}${to}${why}`, fields };
}
