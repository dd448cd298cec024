/**
 * What the daemon counts, so that nothing that is refused, dropped or repeated goes unseen.
 *
 * Every counter has its sentence in the table; `yggctl status` and docs/operate.md show the same names.
 */

export type CounterName =
  | 'messages_received'
  | 'messages_dispatched'
  | 'messages_done'
  | 'messages_dead'
  | 'messages_refused'
  | 'messages_duplicate'
  | 'messages_id_reused'
  | 'messages_oversize'
  | 'messages_qos0_dropped'
  | 'messages_foreign_topic'
  | 'messages_unanswered'
  | 'messages_redelivered'
  | 'commands_done'
  | 'commands_refused'
  | 'commands_unknown'
  | 'commands_duplicate'
  | 'commands_retained'
  | 'commands_stale'
  | 'cancels_dropped'
  | 'responses_returned'
  | 'responses_refused'
  | 'streams_refused'
  | 'responses_unknown_id'
  | 'responses_published'
  | 'publishes_unheard'
  | 'responses_posted'
  | 'responses_dead'
  | 'registrations'
  | 'registrations_refused'
  | 'worker_starts'
  | 'worker_deaths'
  | 'worker_files_refused'
  | 'worker_log_lines_dropped'
  | 'contents_fetched'
  | 'contents_failed'
  | 'broker_connects'
  | 'broker_losses'
  | 'broker_refusals'
  | 'broker_protocol_errors'
  | 'dead_letters_dropped'
  | 'journal_records_damaged'
  | 'events_dropped'
  | 'signal_faults';

export const counterTable: Readonly<Record<CounterName, string>> = {
  messages_received: 'data messages taken into the inbox',
  messages_dispatched: 'hand-overs a worker accepted',
  messages_done: 'requests finished',
  messages_dead: 'requests given up as dead letters',
  messages_refused: 'data messages refused: no usable envelope, id or directive',
  messages_duplicate: 'data messages whose id was taken before; not run again',
  messages_id_reused: 'new data messages with an id that was used before',
  messages_oversize: 'packets larger than max-message-size',
  messages_qos0_dropped: 'QoS 0 data messages dropped because the inbox was full',
  messages_foreign_topic: 'packets on topics the daemon did not subscribe',
  messages_unanswered: 'accepted messages whose worker sent no response in time',
  messages_redelivered: 'hand-overs that were not the first',
  commands_done: 'commands carried out',
  commands_refused: 'commands without a usable envelope or arguments',
  commands_unknown: 'commands this daemon does not know',
  commands_duplicate: 'commands that were carried out before',
  commands_retained: 'retained commands, ignored',
  commands_stale: 'commands that waited too long in the session, ignored',
  cancels_dropped: 'cancels dropped because too many waited',
  responses_returned: 'responses workers sent',
  responses_refused: 'responses refused: answers for another worker, or no room',
  streams_refused: 'streams of attached workers that were ended for what came on them',
  responses_unknown_id: 'responses to ids the daemon does not know; passed on',
  responses_published: 'responses and reports the broker acknowledged',
  publishes_unheard: 'messages of this host that reached nobody, as an MQTT 5 broker says',
  responses_posted: 'responses delivered by HTTP',
  responses_dead: 'responses given up as dead letters',
  registrations: 'workers that registered',
  registrations_refused: 'registrations refused',
  worker_starts: 'worker programs started',
  worker_deaths: 'worker programs that ended by themselves',
  worker_files_refused: 'worker files or configurations that may not be used',
  worker_log_lines_dropped: 'lines of worker output over the limit',
  contents_fetched: 'detached contents fetched',
  contents_failed: 'detached contents given up',
  broker_connects: 'connections to a broker',
  broker_losses: 'connections that were lost',
  broker_refusals: 'connections or subscriptions a broker refused',
  broker_protocol_errors: 'connections closed because the broker broke the protocol',
  dead_letters_dropped: 'dead letters dropped because there were too many, or they were too old',
  journal_records_damaged: 'journal records set aside because their checksum was wrong',
  events_dropped: 'events that those who watch did not read in time',
  signal_faults: 'signal handlers that threw',
};

export interface Counters {
  count(name: CounterName, by?: number): void;
  get(name: CounterName): number;
  all(): Readonly<Record<CounterName, number>>;
}

export function createCounters(): Counters {
  const values = new Map<CounterName, number>();
  for (const name of Object.keys(counterTable)) values.set(name as CounterName, 0);
  const get = (name: CounterName): number => values.get(name) ?? 0;
  return {
    count(name, by = 1) {
      values.set(name, get(name) + by);
    },
    get,
    all: () => Object.fromEntries(values) as Record<CounterName, number>,
  };
}
