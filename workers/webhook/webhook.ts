/**
 * Posts the content of a message to one of the URLs that its settings list. The message names it, and says nothing else
 * about where or how: no path, no header, no redirect.
 */
import { createWorker, type Job, type Logger, RetryLater, type Worker } from 'yggd/worker';
import { entriesOf, refused, type Settings } from '../settings.ts';

/** Milliseconds for one post, and between one that failed and the next. */
const deadline = 30_000;
const rest = 5_000;
/** Posts of one message. */
const mostAttempts = 4;

export function createWebhookWorker(handler: string, settings: Settings, log?: Logger): Worker {
  const urls = new Map(entriesOf(settings, 'urls').map(([name, url]) => [name, listed(name, url)]));
  const [only] = urls.size === 1 ? urls.keys() : [];
  return createWorker({
    handler,
    ...(log && { log }),
    async onMessage(message, job) {
      const url = urls.get(message.metadata['to'] ?? only ?? '');
      if (!url) throw refused(`Metadata "to" names no URL: there are ${[...urls.keys()].join(', ')}.`);
      const status = await post(url, message.content, message.id, job);
      if (status >= 200 && status < 300) return { status };
      // Not now, or not at all.
      const reason = `The answer was ${status}.`;
      if (status === 429 || status >= 500) throw again(job, reason);
      throw Object.assign(new Error(reason), { code: 'NOT_TAKEN' });
    },
  });
}

function listed(name: string, text: unknown): URL {
  const url = typeof text === 'string' && URL.canParse(text) ? new URL(text) : undefined;
  const fit = url && /^https?:$/.test(url.protocol) && url.username === '' && url.password === '';
  // The address may hold a secret: it is not repeated.
  if (!fit)
    throw new Error(`The URL ${name} has to begin with https:// or http://, without user and password.`);
  return url;
}

async function post(url: URL, content: Uint8Array, id: string, job: Job): Promise<number> {
  const signal = AbortSignal.any([job.signal, AbortSignal.timeout(deadline)]);
  const headers = {
    'content-type': 'application/json',
    'user-agent': 'yggd-webhook',
    'idempotency-key': /^[\w-]{1,64}$/.test(id) ? id : '',
  };
  try {
    const response = await fetch(url, { method: 'POST', body: content, headers, redirect: 'manual', signal });
    await response.body?.cancel();
    return response.status;
  } catch (error) {
    job.signal.throwIfAborted();
    throw again(job, 'There was no answer.', error);
  }
}

function again(job: Job, reason: string, cause?: unknown): Error {
  job.log.warn({ attempt: job.attempt, error: cause }, reason);
  if (job.attempt < mostAttempts) return new RetryLater(rest * job.attempt, reason, { cause });
  return Object.assign(new Error(reason, { cause }), { code: 'NOT_REACHED' });
}
