/**
 * `ygg register`: RHSM first, then the service; what is done already is said and left.
 */
import { askingRhsm, rhsmAdvice, systemdAdvice } from './advice.ts';
import {
  type CredentialFlags,
  type Credentials,
  type CredentialsDeps,
  chooseOrganization,
  readCredentials,
} from './credentials.ts';
import type { RegistrationDesk, Rhsm } from './rhsm.ts';
import { keepCopy, readServer, type Server, serverText, setServer } from './server.ts';
import type { ServiceUnit } from './service-unit.ts';
import { already, done, type Ended, type Step, type Steps } from './steps.ts';

export interface RegisterFlags extends CredentialFlags {
  readonly server?: string;
  readonly rhsmConfig: string;
}

export interface RegisterDeps extends CredentialsDeps {
  readonly rhsm: Rhsm;
  readonly unit: ServiceUnit;
  readonly steps: Steps;
  /** Says what is no failure, and yet not as it was asked for. */
  warn(sentence: string): Promise<void>;
}

export async function register(flags: RegisterFlags, deps: RegisterDeps): Promise<void> {
  const { rhsm, unit, steps } = deps;
  const server = flags.server === undefined ? undefined : readServer(flags.server);
  const consumer = await steps.during(askingRhsm, () => rhsm.consumer());
  if (consumer === '') await registerAnew(flags, server, deps);
  else {
    const text = `already registered as ${consumer}`;
    await steps.say(askingRhsm, { state: 'already', text, fields: { consumer } });
    if (server)
      await deps.warn('RHSM keeps its server while it is registered; run ygg unregister before --server.');
  }
  const advice = systemdAdvice(unit.name);
  await steps.run({ name: 'enable', subject: unit.name, doing: `enabling ${unit.name}`, advice }, async () =>
    (await unit.enable()) ? done('enabled') : already('already enabled'),
  );
  await steps.run({ name: 'start', subject: unit.name, doing: `starting ${unit.name}`, advice }, async () => {
    if ((await unit.state()).up) return already('already running');
    await unit.start();
    return done('started');
  });
}

async function registerAnew(
  flags: RegisterFlags,
  server: Server | undefined,
  deps: RegisterDeps,
): Promise<void> {
  const { rhsm, steps } = deps;
  // Everything is asked for before anything is changed.
  const credentials = await readCredentials(flags, deps);
  if (server) {
    const step = { name: 'server', subject: 'RHSM', doing: 'setting the server of RHSM', advice: rhsmAdvice };
    await steps.run(step, () => changeServer(server, flags.rhsmConfig, rhsm));
  }
  const step: Step = {
    ...{ name: 'register', subject: 'RHSM', doing: 'registering with RHSM' },
    advice: { ...rhsmAdvice, YGG_SERVICE_REFUSED: refusalAdvice(credentials) },
  };
  const asking: Step = { ...step, harmless: true };
  const desk = rhsm.desk();
  try {
    await steps.during(asking, () => desk.open());
    const organization = await organizationOf(credentials, desk, asking, deps);
    await steps.run(step, async () => {
      if (credentials.kind === 'keys') await desk.registerWithKeys(credentials.keys, organization);
      else await desk.register(credentials.account, organization);
      const consumer = await rhsm.consumer();
      return done(`registered as ${consumer} with ${organization}`, { consumer, organization });
    });
  } finally {
    await desk.close();
  }
}

async function changeServer(server: Server, file: string, rhsm: Rhsm): Promise<Ended> {
  const copy = keepCopy(file);
  await setServer(server, rhsm);
  const kept = copy === undefined ? '' : `; ${copy} is as it was before`;
  return done(`server set to ${serverText(server)}${kept}`, {
    server: serverText(server),
    copy: copy ?? null,
  });
}

async function organizationOf(
  credentials: Credentials,
  desk: RegistrationDesk,
  step: Step,
  deps: RegisterDeps,
): Promise<string> {
  if (credentials.kind === 'keys') return credentials.organization;
  if (credentials.organization !== undefined) return credentials.organization;
  const { account } = credentials;
  const organizations = await deps.steps.during(step, () => desk.organizations(account));
  return await chooseOrganization(account.user, organizations, deps);
}

function refusalAdvice({ kind }: Credentials): string {
  return kind === 'keys'
    ? 'Check the organization, the activation keys and the server.'
    : 'Check the user name, the password, the organization and the server.';
}
