/**
 * The certificate, key and authorities in use, replaced while the daemon runs.
 *
 * Owns the watch on their files and which of them are in use. What was written half, or is no pair, is said and not
 * used; the next change is looked at again. A certificate with another common name is another host, so it is not used
 * before a restart where the name is the client id.
 */
import type { Clock } from '../base/clock.ts';
import { reasonOf } from '../base/errors.ts';
import type { Logger } from '../base/log.ts';
import { type LoadedTls, loadTls, type TlsFiles } from './certificate.ts';
import { FileWatch } from './file-watch.ts';

export interface CertificatesDeps {
  readonly files: TlsFiles;
  /** The client id follows from the common name. */
  readonly nameIsClientId: boolean;
  readonly clock: Clock;
  readonly log: Logger;
}

export interface Certificates {
  /** In use; the same object until it is replaced. */
  readonly current: LoadedTls;
  /** Called back after it was replaced. */
  onChange(listener: () => void): void;
  /** Reads the files again, or other ones that take their place if they can be used. Says so; why not is logged. */
  refresh(files?: TlsFiles): boolean;
  /** Ends the watch. */
  close(): void;
}

/** Throws `YGG_CONFIG_FILE` like {@link loadTls} when the first ones cannot be used. */
export function openCertificates(deps: CertificatesDeps): Certificates {
  const { nameIsClientId, clock, log } = deps;
  let { files } = deps;
  // Before the files are read: what changes meanwhile is seen.
  let watch = watchOver(files);
  let current: LoadedTls;
  try {
    current = loadTls(files, { log, clock });
  } catch (error) {
    watch.stop();
    throw error;
  }
  const listeners: Array<() => void> = [];

  function watchOver({ certFile, keyFile, caRoot }: TlsFiles): FileWatch {
    const named = [certFile, keyFile, ...caRoot].filter((file) => file !== undefined);
    const begun = new FileWatch({ files: named, clock, onChange: () => void read() });
    if (named.length > 0) begun.start();
    return begun;
  }

  function read(from: TlsFiles = files): boolean {
    const { certFile, keyFile } = from;
    let next: LoadedTls;
    try {
      next = loadTls(from, { log, clock });
    } catch (error) {
      log.warn(
        { error: reasonOf(error) },
        'changed certificates cannot be used, those from before stay in use',
      );
      return false;
    }
    if (isSame(next, current)) return true;
    const { commonName } = next;
    if (nameIsClientId && commonName !== current.commonName) {
      log.warn(
        { file: certFile, common_name: commonName, before: current.commonName },
        'the certificate names another host; it is used after a restart, under that name',
      );
      return false;
    }
    current = next;
    log.info({ file: certFile, key: keyFile, common_name: commonName }, 'new certificates are in use');
    for (const listener of listeners) listener();
    return true;
  }

  return {
    get current() {
      return current;
    },
    onChange(listener) {
      listeners.push(listener);
    },
    refresh(other) {
      if (!read(other)) return false;
      if (other) {
        watch.stop();
        files = other;
        watch = watchOver(files);
      }
      return true;
    },
    close: () => watch.stop(),
  };
}

function isSame(one: LoadedTls, other: LoadedTls): boolean {
  const bytes = ({ cert, key, ca = [] }: LoadedTls): string => [cert ?? '', key ?? '', ...ca].join('\0');
  return bytes(one) === bytes(other);
}
