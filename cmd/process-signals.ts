/**
 * The signals of this process from its first moment. Imported before everything else.
 *
 * Until somebody listens there is nothing to be stopped: SIGTERM and SIGINT end the process at once, with status 0, and
 * a SIGHUP is kept. Once somebody has listened, what comes after the last listener is gone changes nothing: the
 * process is about to end with the status of what ran.
 */
import type { ServiceSignal, SignalSource } from './service.ts';

const signals: readonly ServiceSignal[] = ['SIGTERM', 'SIGINT', 'SIGHUP'];
const listeners = new Map<ServiceSignal, () => void>();
/** Somebody listens, or did. */
let taken = false;
/** SIGHUP came before that. */
let kept = false;
let installed = false;

function install(): void {
  if (installed) return;
  installed = true;
  for (const signal of signals) process.on(signal, () => onSignal(signal));
}

function onSignal(signal: ServiceSignal): void {
  const listener = listeners.get(signal);
  if (listener) listener();
  else if (taken) return;
  else if (signal === 'SIGHUP') kept = true;
  else process.exit();
}

export const processSignals: SignalSource = {
  on(signal, listener) {
    install();
    taken = true;
    listeners.set(signal, listener);
    if (signal !== 'SIGHUP' || !kept) return;
    kept = false;
    setImmediate(listener);
  },
  off(signal) {
    listeners.delete(signal);
  },
};

// A program that only says something ends as others do: half of what it had to say is not a success.
if (!process.argv.some((word) => /^--(?:check-config|generate-\w|help|version)/.test(word))) install();
