/**
 * Which host is meant, and by which broker it is reached: from the options, and for what they leave out from the
 * daemon of this machine.
 */
import { YggError } from '../base/errors.ts';
import type { TlsMaterial } from '../base/tls.ts';

/** How the daemon of this machine reaches its brokers. */
export interface LocalDaemon {
  readonly clientId: string;
  readonly topicPrefix: string;
  /** In the order in which they are tried. */
  readonly brokers: readonly string[];
  /** Set for an embedded broker, which carries this host only. */
  readonly login?: { readonly username: string; readonly password: string } | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly caRoots: readonly string[];
}

export interface TargetOptions {
  readonly to?: string | undefined;
  readonly broker?: string | undefined;
  readonly topicPrefix?: string | undefined;
  readonly certFile?: string | undefined;
  readonly keyFile?: string | undefined;
  readonly caRoot?: readonly string[] | undefined;
}

export interface TlsFiles {
  readonly certFile: string | undefined;
  readonly keyFile: string | undefined;
  readonly caRoot: readonly string[];
}

export interface LoadedTls extends TlsMaterial {
  /** Common Name of the certificate; empty without one. */
  readonly commonName: string;
}

export interface TargetDeps {
  /** The daemon of this machine. Throws `YGG_NOT_RUNNING` naming where it was looked for. */
  findDaemon(): LocalDaemon;
  /** Reads the files; throws `YGG_CONFIG_FILE` when they are not what they should be. */
  loadTls(files: TlsFiles): LoadedTls;
  warn(sentence: string): void;
}

export interface Target {
  readonly host: string;
  readonly topicPrefix: string;
  readonly brokers: readonly string[];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls: TlsMaterial;
}

const defaultPrefix = 'yggdrasil';

/** Throws `YGG_USAGE`, `YGG_NOT_RUNNING`, `YGG_CONFIG_FILE`. */
export function chooseTarget(options: TargetOptions, deps: TargetDeps): Target {
  const { to, broker } = options;
  // With both given nothing of this machine is asked: yggctl also runs where no daemon does.
  const daemon = to !== undefined && broker !== undefined ? undefined : deps.findDaemon();
  const host = to ?? daemon?.clientId ?? '';
  const own = broker === undefined ? daemon : undefined;
  if (own?.login && host !== own.clientId) {
    throw new YggError(
      'YGG_USAGE',
      `Host "${host}" is not on the embedded broker of this machine, which carries ${own.clientId} only. Name its broker with --broker URL.`,
    );
  }
  return {
    host,
    topicPrefix: options.topicPrefix ?? daemon?.topicPrefix ?? defaultPrefix,
    brokers: broker === undefined ? (own?.brokers ?? []) : [broker],
    username: own?.login?.username,
    password: own?.login?.password,
    tls: tlsFor(options, own, host, deps),
  };
}

function tlsFor(
  options: TargetOptions,
  own: LocalDaemon | undefined,
  host: string,
  { loadTls, warn }: TargetDeps,
): TlsMaterial {
  const certFile = options.certFile ?? own?.certFile;
  const keyFile = options.keyFile ?? own?.keyFile;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new YggError('YGG_USAGE', '--cert-file and --key-file belong together; one of them is missing.');
  }
  const tls = loadTls({ certFile, keyFile, caRoot: options.caRoot ?? own?.caRoots ?? [] });
  if (certFile !== undefined && tls.commonName === host) {
    warn(
      `${certFile} is the certificate of ${host} itself: a broker that goes by certificates takes this program for the host, and may disconnect it. Use one of your own with --cert-file and --key-file.`,
    );
  }
  return tls;
}
