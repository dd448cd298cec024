/**
 * How a daemon is, in one sentence for those who look at its service, and when its start is over.
 */
import type { PreparedDaemon } from '../src/daemon.ts';

/** Keeps an eye on the broker from now on; the returned function says the sentence. */
export function describing(
  { signals, datastore, journal }: PreparedDaemon,
  hasBroker: boolean,
): () => string {
  let broker = '';
  signals.observe('client-connect', (connected) => {
    broker = connected.broker;
  });
  signals.observe('client-disconnect', () => {
    broker = '';
  });
  return () => {
    const link = hasBroker
      ? broker
        ? `Connected to ${broker}`
        : 'Not connected to a broker'
      : 'Without a broker';
    const workers = [...datastore.workers.all()].map(({ handler }) => handler).sort();
    const { trouble } = journal;
    return [
      `${link}; workers for ${workers.length > 0 ? shortened(workers) : 'nothing'}`,
      trouble ? `; the disk is ${trouble}, nothing new is taken` : '',
    ].join('');
  };
}

/** Names that are listed before they are only counted. */
const mostNames = 8;

function shortened(names: readonly string[]): string {
  const rest = names.length - mostNames;
  return rest > 0 ? `${names.slice(0, mostNames).join(', ')} and ${rest} more` : names.join(', ');
}

/** Milliseconds that workers may take to be started before the daemon counts as ready without them. */
const bootstrapDeadline = 30_000;

/** Resolves when every worker that was there at the start was tried. To be called before the daemon runs. */
export function bootstrapped({ signals }: PreparedDaemon): Promise<void> {
  return new Promise((resolve) => {
    const timer = setTimeout(resolve, bootstrapDeadline);
    timer.unref();
    const stop = signals.observe('process-bootstrap', () => {
      stop();
      clearTimeout(timer);
      resolve();
    });
  });
}
