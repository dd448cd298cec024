/**
 * What is known outside the daemon: what the broker took from the publisher, what arrived at the server, what the
 * worker wrote down for itself. The daemon is never asked.
 */
import type { HttpCall } from '../helpers/http-content.ts';
import type { LedgerEntry } from '../helpers/ledger.ts';
import type { Published } from '../helpers/mqtt-server.ts';

/** What arrived for one request. */
export interface Arrivals {
  /** Ids of the responses, each once. */
  readonly responses: Set<string>;
  /** Further copies of them. */
  copies: number;
  /** Reasons of the failure reports, in order. */
  readonly reports: string[];
}

export class Ledgers {
  /** Ids of requests that were given to the broker. */
  readonly sent: Set<string> = new Set();
  /** Those it acknowledged. */
  readonly acknowledged: Set<string> = new Set();
  readonly #arrivals = new Map<string, Arrivals>();
  /** Ids of all responses that arrived. */
  readonly #delivered = new Set<string>();

  /** Requests that were answered or reported. */
  get settled(): number {
    return this.#arrivals.size;
  }

  get unsettled(): number {
    return this.sent.size - this.#arrivals.size;
  }

  of(id: string): Arrivals | undefined {
    return this.#arrivals.get(id);
  }

  isDelivered(responseId: string): boolean {
    return this.#delivered.has(responseId);
  }

  /** Something the host published; what answers nothing that was sent here is not looked at. */
  published({ json }: Pick<Published, 'json'>): void {
    const request = String(json['response_to'] ?? '');
    if (json['type'] !== 'data' || !this.sent.has(request)) return;
    const metadata = json['metadata'];
    const reason = reasonIn(metadata);
    if (reason === undefined) this.#respond(request, String(json['message_id']));
    else this.#at(request).reports.push(reason);
  }

  /** Something the host posted; a signed answer names both ids in its headers. */
  posted({ headers }: Pick<HttpCall, 'headers'>): void {
    this.#respond(String(headers['request_id']), String(headers['response_id']));
  }

  #respond(request: string, response: string): void {
    const arrivals = this.#at(request);
    if (arrivals.responses.has(response)) arrivals.copies += 1;
    arrivals.responses.add(response);
    this.#delivered.add(response);
  }

  #at(request: string): Arrivals {
    let arrivals = this.#arrivals.get(request);
    if (!arrivals) {
      arrivals = { responses: new Set(), copies: 0, reports: [] };
      this.#arrivals.set(request, arrivals);
    }
    return arrivals;
  }
}

function reasonIn(metadata: unknown): string | undefined {
  if (typeof metadata !== 'object' || metadata === null) return undefined;
  if (!('status' in metadata) || metadata.status !== 'failed' || !('reason' in metadata)) return undefined;
  return String(metadata.reason);
}

/** What comes out of comparing the ledgers, once nothing is under way any more. */
export interface Verdict {
  readonly acknowledged: number;
  readonly answered: number;
  readonly reported: number;
  /** Acknowledged by the broker, and neither answered nor reported. */
  readonly lost: readonly string[];
  /** Responses whose Send was answered and that never arrived. */
  readonly responsesLost: readonly string[];
  /** Runs of requests beyond the first. */
  readonly ranAgain: number;
  /** Those of them that were in the same process as an earlier one. */
  readonly ranAgainThere: number;
  /** Different responses to a request beyond the first, and copies of responses. */
  readonly answeredAgain: number;
  /** How often each reason was reported. */
  readonly reasons: Readonly<Record<string, number>>;
}

export function compare(ledgers: Ledgers, worker: readonly LedgerEntry[]): Verdict {
  const runs = new Set<string>();
  const runsThere = new Set<string>();
  let run = 0;
  const responsesLost: string[] = [];
  for (const entry of worker) {
    const id = String(entry['message_id']);
    if (entry.event === 'message') {
      run += 1;
      runs.add(id);
      runsThere.add(`${entry.pid} ${id}`);
    }
    if (entry.event !== 'sent') continue;
    const response = String(entry['response_id']);
    if (!ledgers.isDelivered(response)) responsesLost.push(response);
  }
  const lost: string[] = [];
  const reasons: Record<string, number> = {};
  let answered = 0;
  let reported = 0;
  let answeredAgain = 0;
  for (const id of ledgers.acknowledged) {
    const arrivals = ledgers.of(id);
    if (!arrivals) {
      lost.push(id);
      continue;
    }
    if (arrivals.responses.size > 0) answered += 1;
    else reported += 1;
    answeredAgain += Math.max(0, arrivals.responses.size - 1) + arrivals.copies;
    for (const reason of arrivals.reports) reasons[reason] = (reasons[reason] ?? 0) + 1;
  }
  return {
    acknowledged: ledgers.acknowledged.size,
    answered,
    reported,
    lost,
    responsesLost,
    ranAgain: run - runs.size,
    ranAgainThere: run - runsThere.size,
    answeredAgain,
    reasons,
  };
}
