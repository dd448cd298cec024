/**
 * Where the daemon keeps its sockets and its state when nobody says where.
 */
import path from 'node:path';
import type { Environment } from './options.ts';

/** For sockets: gone after a reboot. */
export function defaultRuntimeDir(environment: Environment): string {
  const { uid, variables, temporaryDirectory } = environment;
  const given = firstOf(variables['RUNTIME_DIRECTORY']);
  if (given) return given;
  if (uid === 0) return '/run/yggdrasil';
  const ofUser = variables['XDG_RUNTIME_DIR'];
  return ofUser ? path.join(ofUser, 'yggdrasil') : path.join(temporaryDirectory, `yggdrasil-${uid}`);
}

/**
 * For the sockets of workers that run as another user: beside the runtime directory, because nobody else may even
 * pass through that one.
 */
export function userSocketsDir(runtimeDir: string): string {
  return `${path.resolve(runtimeDir)}-workers`;
}

/** For the journal and the client id: must survive. */
export function defaultStateDir(environment: Environment): string {
  const { uid, variables, homeDirectory } = environment;
  const given = firstOf(variables['STATE_DIRECTORY']);
  if (given) return given;
  if (uid === 0) return '/var/lib/yggdrasil';
  return path.join(variables['XDG_STATE_HOME'] || path.join(homeDirectory, '.local', 'state'), 'yggdrasil');
}

/** systemd separates several directories by colons (systemd.exec(5)). */
function firstOf(directories: string | undefined): string | undefined {
  return directories?.split(':')[0];
}
