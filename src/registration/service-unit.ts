/**
 * One unit of systemd: enabled and started, stopped and disabled, and how it is.
 *
 * A job is over when systemd says so, with its result; its number alone says nothing.
 */
import { within } from '../base/deadline.ts';
import { codeOf, reasonOf, YggError } from '../base/errors.ts';
import { type Bus, type BusAnswer, type BusArgument, firstText, quoted } from './bus.ts';

export interface ServiceUnitDeps {
  readonly bus: Bus;
  /** `yggd.service`. */
  readonly name: string;
  /** Milliseconds one answer may take. */
  readonly timeout: number;
  /** Milliseconds a start or a stop may take. */
  readonly jobTimeout: number;
}

/** What systemd says of it; the words are systemd's. */
export interface UnitState {
  /** It runs, whatever else it does. */
  readonly up: boolean;
  /** `enabled`, `disabled`, `masked` and others; empty when there is no such unit file. */
  readonly file: string;
  /** `active`, `inactive`, `failed`, `activating` and others. */
  readonly active: string;
  /** `running`, `dead`, `start-pre` and others; empty when systemd has not loaded it. */
  readonly sub: string;
}

const service = 'org.freedesktop.systemd1';
const manager = { service, path: '/org/freedesktop/systemd1', interface: `${service}.Manager` };
const noUnit = [`${service}.NoSuchUnit`, 'org.freedesktop.DBus.Error.FileNotFound'];
const permanently: BusArgument = ['b', false];

export class ServiceUnit {
  readonly name: string;
  readonly #bus: Bus;
  readonly #timeout: number;
  readonly #jobTimeout: number;
  /** Results of the jobs that ended since systemd is listened to; it is, when this is there. */
  #ended: Map<string, string> | undefined;
  #onEnded: () => void = () => {};

  constructor({ bus, name, timeout, jobTimeout }: ServiceUnitDeps) {
    this.name = name;
    this.#bus = bus;
    this.#timeout = timeout;
    this.#jobTimeout = jobTimeout;
  }

  async state(): Promise<UnitState> {
    const file = await this.#manage('GetUnitFileState', [['s', this.name]]);
    const loaded = await this.#manage('GetUnit', [['s', this.name]]);
    const path = firstText(unlessMissing(loaded));
    const [active, sub] =
      path === ''
        ? ['inactive', '']
        : await Promise.all([this.#property(path, 'ActiveState'), this.#property(path, 'SubState')]);
    const up = active === 'active' || active === 'reloading';
    return { up, file: firstText(unlessMissing(file)), active, sub };
  }

  /** Whether that changed something. */
  async enable(): Promise<boolean> {
    const args: BusArgument[] = [['as', [this.name]], permanently, ['b', false]];
    const [enables, changes] = this.#done(await this.#manage('EnableUnitFiles', args));
    if (enables === false) {
      throw new YggError(
        'YGG_UNIT_FAILED',
        `${this.name} has no [Install] section, so that it cannot be enabled; install its package again.`,
      );
    }
    return await this.#reloadAfter(changes);
  }

  /** Whether that changed something. */
  async disable(): Promise<boolean> {
    const answer = await this.#manage('DisableUnitFiles', [['as', [this.name]], permanently]);
    if (isMissing(answer)) return false;
    const [changes] = this.#done(answer);
    return await this.#reloadAfter(changes);
  }

  /** Resolves when it runs. Throws `YGG_UNIT_FAILED` when it does not. */
  start(): Promise<void> {
    return this.#runJob('StartUnit', 'start');
  }

  /** Resolves when it no longer runs. */
  stop(): Promise<void> {
    return this.#runJob('StopUnit', 'stop');
  }

  async #runJob(member: string, verb: string): Promise<void> {
    const ended = await this.#listen();
    const answer = await this.#manage(member, [
      ['s', this.name],
      ['s', 'replace'],
    ]);
    const job = firstText(this.#done(answer));
    const deadline = { step: `The ${verb} of ${this.name}`, ms: this.#jobTimeout };
    const result = await within(deadline, () => this.#end(job)).catch((error: unknown) => {
      throw codeOf(error) === 'YGG_DEADLINE' ? new YggError('YGG_DEADLINE', `${reasonOf(error)}.`) : error;
    });
    ended.delete(job);
    if (result === 'done') return;
    throw new YggError('YGG_UNIT_FAILED', `The ${verb} of ${this.name} ended as ${quoted(result)}.`);
  }

  /** Before the job begins: it may be over before its number is told. */
  async #listen(): Promise<Map<string, string>> {
    if (this.#ended) return this.#ended;
    const ended = new Map<string, string>();
    await this.#bus.watch({ ...manager, member: 'JobRemoved' }, this.#timeout, (values) => {
      const [, job, unit, result] = values;
      if (unit !== this.name) return;
      ended.set(String(job), String(result));
      this.#onEnded();
    });
    // systemd signals to nobody who has not asked for it.
    await this.#manage('Subscribe', []);
    this.#ended = ended;
    return ended;
  }

  #end(job: string): Promise<string> {
    return new Promise((resolve) => {
      const look = (): void => {
        const result = this.#ended?.get(job);
        if (result !== undefined) resolve(result);
      };
      this.#onEnded = look;
      look();
    });
  }

  /** What was changed counts, other names of the unit too, once systemd has read its files again. */
  async #reloadAfter(changes: unknown): Promise<boolean> {
    const changed = Array.isArray(changes) && changes.length > 0;
    if (changed) this.#done(await this.#manage('Reload', []));
    return changed;
  }

  async #property(path: string, name: string): Promise<string> {
    const args: BusArgument[] = [
      ['s', `${service}.Unit`],
      ['s', name],
    ];
    const properties = { service, path, interface: 'org.freedesktop.DBus.Properties', member: 'Get' };
    return firstText(this.#done(await this.#bus.call({ ...properties, args, timeout: this.#timeout })));
  }

  #manage(member: string, args: readonly BusArgument[]): Promise<BusAnswer> {
    return this.#bus.call({ ...manager, member, args, timeout: this.#timeout });
  }

  #done(answer: BusAnswer): readonly unknown[] {
    if (answer.kind === 'values') return answer.values;
    if (isMissing(answer)) {
      throw new YggError(
        'YGG_UNIT_FAILED',
        `${this.name} is not installed; install the package it comes in.`,
      );
    }
    throw new YggError('YGG_UNIT_FAILED', `systemd answered ${quoted(answer.text || answer.name)}.`);
  }
}

function isMissing(answer: BusAnswer): boolean {
  return answer.kind === 'error' && noUnit.includes(answer.name);
}

/** Nothing for a unit that is not there. */
function unlessMissing(answer: BusAnswer): readonly unknown[] {
  if (answer.kind === 'values') return answer.values;
  if (isMissing(answer)) return [];
  throw new YggError('YGG_UNIT_FAILED', `systemd answered ${quoted(answer.text || answer.name)}.`);
}
