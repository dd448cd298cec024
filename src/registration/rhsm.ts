/**
 * RHSM, Red Hat Subscription Management, as subscription-manager offers it on D-Bus.
 *
 * Credentials go over a private connection, which RHSM opens for that: on the bus, others might listen.
 */
import { YggError } from '../base/errors.ts';
import { type Bus, type BusArgument, type BusCall, firstText, type Peer, quoted } from './bus.ts';

export interface RhsmDeps {
  readonly bus: Bus;
  /** A connection to a peer without a bus driver. */
  connectPeer(address: string): Promise<Peer>;
  /** Language of the person, in which RHSM answers: `de_DE.UTF-8`, or empty. */
  readonly locale: string;
  /** Milliseconds one answer may take. */
  readonly timeout: number;
}

export interface Organization {
  readonly key: string;
  readonly name: string;
}

export interface Account {
  readonly user: string;
  readonly password: string;
}

/** Registers, over the private connection; `open` comes first, `close` last, also while `open` is under way. */
export interface RegistrationDesk {
  open(): Promise<void>;
  organizations(account: Account): Promise<readonly Organization[]>;
  register(account: Account, organization: string): Promise<void>;
  registerWithKeys(keys: readonly string[], organization: string): Promise<void>;
  close(): Promise<void>;
}

type Ask = (object: string, member: string, args: readonly BusArgument[]) => Promise<readonly unknown[]>;

const service = 'com.redhat.RHSM1';
const noOptions: BusArgument = ['a{sv}', {}];
/** Milliseconds for what changes nothing for anybody any longer. */
const stopTimeout = 5_000;

export class Rhsm {
  readonly #deps: RhsmDeps;
  readonly #locale: BusArgument;
  readonly #ask: Ask;

  constructor(deps: RhsmDeps) {
    this.#deps = deps;
    this.#locale = ['s', deps.locale];
    this.#ask = asker(deps.bus, deps.timeout);
  }

  /** Id of the consumer this host is registered as; empty while it is not. */
  async consumer(): Promise<string> {
    return firstText(await this.#ask('Consumer', 'GetUuid', [this.#locale]));
  }

  /** Sets one value of rhsm.conf: `server.hostname`. */
  async configure(name: string, value: string): Promise<void> {
    await this.#ask('Config', 'Set', [['s', name], ['v', value], this.#locale]);
  }

  async unregister(): Promise<void> {
    await this.#ask('Unregister', 'Unregister', [noOptions, this.#locale]);
  }

  /** Facts of the host by name, in the order of their names. */
  async facts(): Promise<Readonly<Record<string, string>>> {
    const { bus, timeout } = this.#deps;
    const facts = `${service}.Facts`;
    const call = { service: facts, path: '/com/redhat/RHSM1/Facts', interface: facts, member: 'GetFacts' };
    const [found] = await valuesOf(bus, { ...call, timeout });
    const entries = Object.entries(typeof found === 'object' && found !== null ? found : {});
    return Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1)).map(([k, v]) => [k, String(v)]));
  }

  /** RHSM's private connection. */
  desk(): RegistrationDesk {
    const locale = this.#locale;
    let peer: Peer | undefined;
    /** RHSM was asked to listen, and has not refused. */
    let listens = false;
    let closed = false;
    const ask: Ask = (object, member, args) => {
      if (!peer) throw new YggError('YGG_INTERNAL', 'The private connection is not open.');
      return asker(peer, this.#deps.timeout)(object, member, args);
    };
    return {
      open: async () => {
        listens = true;
        const started = this.#ask('RegisterServer', 'Start', [locale]).catch((error: unknown) => {
          listens = false;
          throw error;
        });
        const opened = await this.#deps.connectPeer(firstText(await started));
        if (closed) opened.close();
        else peer = opened;
      },
      async organizations({ user, password }) {
        const args: BusArgument[] = [['s', user], ['s', password], noOptions, locale];
        return readOrganizations(firstText(await ask('Register', 'GetOrgs', args)));
      },
      async register({ user, password }, organization) {
        const account: BusArgument[] = [
          ['s', user],
          ['s', password],
        ];
        const args: BusArgument[] = [['s', organization], ...account, noOptions, noOptions, locale];
        await ask('Register', 'Register', args);
      },
      async registerWithKeys(keys, organization) {
        const args: BusArgument[] = [['s', organization], ['as', keys], noOptions, noOptions, locale];
        await ask('Register', 'RegisterWithActivationKeys', args);
      },
      close: async () => {
        closed = true;
        peer?.close();
        if (listens) await this.#stopServer();
      },
    };
  }

  /** Best effort: RHSM ends it by itself when those who asked for it have left. */
  async #stopServer(): Promise<void> {
    const { bus, timeout } = this.#deps;
    const ask = asker(bus, Math.min(timeout, stopTimeout));
    await ask('RegisterServer', 'Stop', [this.#locale]).catch(() => {});
  }
}

function asker(peer: Peer, timeout: number): Ask {
  return (object, member, args) =>
    valuesOf(peer, {
      ...{ service, path: `/com/redhat/RHSM1/${object}`, interface: `${service}.${object}` },
      ...{ member, args, timeout },
    });
}

async function valuesOf(peer: Peer, call: BusCall): Promise<readonly unknown[]> {
  const answer = await peer.call(call);
  if (answer.kind === 'values') return answer.values;
  throw new YggError('YGG_SERVICE_REFUSED', `RHSM answered ${quoted(wordsOf(answer))}.`);
}

/** Errors of RHSM carry JSON: `{exception, severity, message}`. */
function wordsOf({ name, text }: { readonly name: string; readonly text: string }): string {
  const parsed = parseJson(text);
  const message = typeof parsed === 'object' && parsed !== null && 'message' in parsed ? parsed.message : '';
  if (typeof message === 'string' && message !== '') return message;
  // What RHSM did not foresee comes as a traceback of Python, which ends with what it was.
  return text.trim().split('\n').at(-1) || name;
}

/** `[{"key": ..., "displayName": ...}]`; what is not of that kind is passed over. */
function readOrganizations(text: string): Organization[] {
  const parsed = parseJson(text);
  if (!Array.isArray(parsed)) throw new YggError('YGG_SERVICE_REFUSED', `RHSM answered ${quoted(text)}.`);
  return parsed.flatMap((entry: unknown) => {
    if (typeof entry !== 'object' || entry === null || !('key' in entry)) return [];
    if (typeof entry.key !== 'string' || entry.key === '') return [];
    const name = 'displayName' in entry && typeof entry.displayName === 'string' ? entry.displayName : '';
    return [{ key: entry.key, name }];
  });
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
