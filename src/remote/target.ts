/**
 * Which host is meant, and by which broker it is reached: from the options, and for what they leave out from the
 * daemon of this machine.
 */
import { reasonOf, YggError } from '../base/errors.ts';

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

export interface TargetDeps {
  /** The daemon of this machine. Throws `YGG_NOT_RUNNING` naming where it was looked for. */
  findDaemon(): LocalDaemon;
  /** Text of a file; throws when it cannot be read. */
  readText(file: string): string;
  /** The Common Name of a PEM certificate, or empty. */
  commonName(pem: string): string;
  warn(sentence: string): void;
}

export interface Target {
  readonly host: string;
  readonly topicPrefix: string;
  readonly brokers: readonly string[];
  readonly username?: string | undefined;
  readonly password?: string | undefined;
  readonly tls: { readonly cert?: string; readonly key?: string; readonly ca: readonly string[] };
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
    tls: readTls(options, own, host, deps),
  };
}

function readTls(
  options: TargetOptions,
  own: LocalDaemon | undefined,
  host: string,
  { readText, commonName, warn }: TargetDeps,
): Target['tls'] {
  const certFile = options.certFile ?? own?.certFile;
  const keyFile = options.keyFile ?? own?.keyFile;
  if ((certFile === undefined) !== (keyFile === undefined)) {
    throw new YggError('YGG_USAGE', '--cert-file and --key-file belong together; one of them is missing.');
  }
  const read = (file: string): string => {
    try {
      return readText(file);
    } catch (error) {
      throw new YggError('YGG_CONFIG_FILE', `"${file}" cannot be read: ${reasonOf(error)}.`, {
        cause: error,
      });
    }
  };
  const ca = (options.caRoot ?? own?.caRoots ?? []).map(read);
  if (certFile === undefined || keyFile === undefined) return { ca };
  const cert = read(certFile);
  if (commonName(cert) === host) {
    warn(
      `${certFile} is the certificate of ${host} itself: a broker that goes by certificates takes this program for the host, and may disconnect it. Use one of your own with --cert-file and --key-file.`,
    );
  }
  return { cert, key: read(keyFile), ca };
}
