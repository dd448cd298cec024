/**
 * Who may register what: names, configurations, files that keep their handler, limits.
 *
 * Pure: looks, and throws why not.
 */
import { YggError } from '../base/errors.ts';
import type { Datastore } from '../datastore.ts';
import { directivePattern } from '../messages.ts';
import type { RegistrationRequest } from '../rpc/protocol.ts';
import type { Caller } from './caller.ts';
import type { Holders } from './holders.ts';

export interface RulesDeps {
  readonly processes: Pick<Datastore['processes'], 'get' | 'all'>;
  readonly holders: Holders;
  /** Whether the handler has a live worker. */
  readonly isHeld: (handler: string) => boolean;
}

/** Handlers one spawned worker, or all workers started by hand together, may register. */
const mostHandlers = 64;
/** Bytes of all features of one handler: they are part of the connection status, which servers take only when it is small. */
const mostFeatures = 16 * 1024;

/** @throws YggError `YGG_HANDLER_INVALID`, `YGG_HANDLER_TAKEN`, `YGG_MESSAGE_TOO_LARGE`, `YGG_CLOSED` */
export function checkMayRegister(deps: RulesDeps, caller: Caller, request: RegistrationRequest): void {
  const { handler } = request;
  if (!directivePattern.test(handler)) {
    const sentence = `The handler ${JSON.stringify(handler.slice(0, 140))} is no name: use letters, digits, dot, underscore and hyphen, at most 128.`;
    throw new YggError('YGG_HANDLER_INVALID', sentence);
  }
  if (caller.ended) throw new YggError('YGG_CLOSED', `${caller.title} has ended.`);
  checkConfiguration(deps, caller, handler);
  if (caller.workers.size >= mostHandlers && !caller.workers.has(handler)) {
    const sentence = `${caller.title} registered ${mostHandlers} handlers already, and ${handler} is one more.`;
    throw new YggError('YGG_HANDLER_INVALID', sentence);
  }
  checkFeatures(request);
}

export function taken(by: string): YggError {
  return new YggError('YGG_HANDLER_TAKEN', `handler taken by ${by}`);
}

function checkConfiguration(
  { processes, holders, isHeld }: RulesDeps,
  caller: Caller,
  handler: string,
): void {
  const listed = processes.get(caller.file)?.config.handlers ?? [];
  if (listed.length > 0 && !listed.includes(handler)) {
    const sentence = `The handler ${handler} is not one that the configuration of ${caller.file} lists (${listed.join(', ')}).`;
    throw new YggError('YGG_HANDLER_INVALID', sentence);
  }
  const others = processes.all().filter(({ file, state }) => file !== caller.file && state !== 'refused');
  const claimant = others.find(({ config }) => config.handlers.includes(handler));
  if (claimant && !listed.includes(handler)) throw taken(claimant.file);
  const keeper = others.find(({ file }) => file === holders.get(handler));
  if (keeper && !isHeld(handler) && isComing(keeper.state)) throw taken(keeper.file);
}

function checkFeatures({ handler, features }: RegistrationRequest): void {
  let bytes = 0;
  for (const [name, value] of Object.entries(features))
    bytes += Buffer.byteLength(name) + Buffer.byteLength(value);
  if (bytes <= mostFeatures) return;
  const sentence = `The features of ${handler} have ${bytes} bytes and may have ${mostFeatures}.`;
  throw new YggError('YGG_MESSAGE_TOO_LARGE', sentence);
}

function isComing(state: string): boolean {
  return state === 'starting' || state === 'waiting' || state === 'stopping';
}
