/**
 * The tables of the journal, and how each value lies on disk.
 *
 *   requests   sequence -> row        waiting requests
 *   waiting    directive, sequence    their order, one directive at a time; `cancels` likewise
 *   working    sequence -> row        offered and in hand
 *   responses  sequence -> row        to be delivered; `reports` likewise, failure reports
 *   dead       sequence -> letter     given up; `unreported` lists those whose report had no place yet
 *   bodies     sequence -> content    of all of the above, written once and never moved
 *   ids        message id -> sequence of what waits or is dead, and of commands
 *   done       sequence -> message id, in the order they are forgotten; `done-blocks` many of them under the last sequence
 *   files      name -> sequence       fetched content
 *   tallies    what is in there, so that nothing has to be counted at a start
 */

import { doneBlocksTable, doneTable } from './done-tables.ts';
import { damagedTable, metaTable } from './ledger-own-tables.ts';
import type { TableFormat } from './ledger-table.ts';
import { type Fields, sealContent, sealFields, unsealContent, unsealFields } from './record.ts';
import type { StoredBody, StoredDead, StoredId, StoredRequest, StoredResponse, Tally } from './stored.ts';
import { deadKinds, origins, reasons, redeliveries, reportStates, responseKinds, states } from './words.ts';

function requestFields(row: StoredRequest): readonly unknown[] {
  return [
    row.messageId,
    row.responseTo,
    row.directive,
    Number(row.cancel),
    row.origin,
    row.state,
    row.size,
    row.contentFile,
    row.receivedAt,
    row.startedAt,
    row.updatedAt,
    row.attempt,
    row.workerDeaths,
    row.daemonDeaths,
    row.workerErrors,
    row.internalErrors,
    Number(row.suspect),
    row.redelivery,
    row.weight,
    Number(row.calledOff),
    row.hash,
  ];
}

function readRequest(sequence: number, fields: Fields): StoredRequest {
  return {
    sequence,
    messageId: fields.text(),
    responseTo: fields.text(),
    directive: fields.text(),
    cancel: fields.flag(),
    origin: fields.word(origins),
    state: fields.word(states),
    size: fields.number(),
    contentFile: fields.text(),
    receivedAt: fields.number(),
    startedAt: fields.number(),
    updatedAt: fields.number(),
    attempt: fields.number(),
    workerDeaths: fields.number(),
    daemonDeaths: fields.number(),
    workerErrors: fields.number(),
    internalErrors: fields.number(),
    suspect: fields.flag(),
    redelivery: fields.word(redeliveries),
    weight: fields.number(),
    calledOff: fields.lateFlag(),
    hash: fields.lateText(),
  };
}

function responseFields(row: StoredResponse): readonly unknown[] {
  return [
    row.messageId,
    row.responseTo,
    row.directive,
    row.handler,
    row.kind,
    row.size,
    row.returnedAt,
    row.failures,
    row.closes,
    row.weight,
  ];
}

function readResponse(sequence: number, fields: Fields): StoredResponse {
  return {
    sequence,
    messageId: fields.text(),
    responseTo: fields.text(),
    directive: fields.text(),
    handler: fields.text(),
    kind: fields.word(responseKinds),
    size: fields.number(),
    returnedAt: fields.number(),
    failures: fields.number(),
    closes: fields.number(),
    weight: fields.number(),
  };
}

function requestTable(name: string, keep: number): TableFormat<number, StoredRequest> {
  return {
    name,
    encode: (row) => sealFields(requestFields(row)),
    decode: (sequence, record) => readRequest(sequence, unsealFields(record)),
    keep,
  };
}

function responseTable(name: string, keep: number): TableFormat<number, StoredResponse> {
  return {
    name,
    encode: (row) => sealFields(responseFields(row)),
    decode: (sequence, record) => readResponse(sequence, unsealFields(record)),
    keep,
  };
}

const present = Uint8Array.of(1);

function orderTable<K extends number | readonly [string, number]>(name: string): TableFormat<K, true> {
  return { name, encode: () => present, decode: () => true, keep: 0 };
}

/** What {@link StoredBody} is made of; `content` must not change until it is committed. */
export function bodyOf(metadata: StoredBody['metadata'], content: Uint8Array): StoredBody {
  return { metadata, content, record: sealContent([metadata], content) };
}

/** Waiting requests stay on disk, whatever their number, but for those that are about to be offered. */
export const requestsTable: TableFormat<number, StoredRequest> = requestTable('requests', 1_024);
/** Keeps more rows than can be offered and in hand at a time, so that a transition does not read the disk. */
export const workingTable: TableFormat<number, StoredRequest> = requestTable('working', 2_048);
export const waitingTable: TableFormat<readonly [string, number], true> = orderTable('waiting');
export const cancelsTable: TableFormat<readonly [string, number], true> = orderTable('cancels');
export const responsesTable: TableFormat<number, StoredResponse> = responseTable('responses', 1_024);
export const reportsTable: TableFormat<number, StoredResponse> = responseTable('reports', 0);
export const unreportedTable: TableFormat<number, true> = orderTable('unreported');

export const bodiesTable: TableFormat<number, StoredBody> = {
  name: 'bodies',
  encode: ({ record }) => record,
  decode(_sequence, record) {
    const { fields, content } = unsealContent(record);
    return { metadata: fields.texts(), content, record };
  },
  keep: 0,
};

export const idsTable: TableFormat<string, StoredId> = {
  name: 'ids',
  encode: ({ sequence, directive, hash }) => sealFields([sequence, directive, hash]),
  decode(_id, record) {
    const fields = unsealFields(record);
    return { sequence: fields.number(), directive: fields.text(), hash: fields.text() };
  },
  keep: 1_024,
};

export const deadTable: TableFormat<number, StoredDead> = {
  name: 'dead',
  encode: ({ was, reason, message, diedAt, report }) =>
    sealFields([
      was.kind,
      reason,
      message,
      diedAt,
      report,
      ...(was.kind === 'request' ? requestFields(was.row) : responseFields(was.row)),
    ]),
  decode(sequence, record) {
    const fields = unsealFields(record);
    const kind = fields.word(deadKinds);
    return {
      reason: fields.word(reasons),
      message: fields.text(),
      diedAt: fields.number(),
      report: fields.word(reportStates),
      was:
        kind === 'request'
          ? { kind, row: readRequest(sequence, fields) }
          : { kind, row: readResponse(sequence, fields) },
    };
  },
  keep: 0,
};

export const filesTable: TableFormat<string, number> = {
  name: 'files',
  encode: (sequence) => sealFields([sequence]),
  decode: (_file, record) => unsealFields(record).number(),
  keep: 0,
};

export const talliesTable: TableFormat<string, Tally> = {
  name: 'tallies',
  encode: ({ messages, bytes, waiting, cancels }) => sealFields([messages, bytes, waiting, cancels]),
  decode(_name, record) {
    const fields = unsealFields(record);
    return {
      messages: fields.number(),
      bytes: fields.number(),
      waiting: fields.number(),
      cancels: fields.number(),
    };
  },
  keep: Infinity,
};

/** What a new table adds its name to. */
export const tableNames: readonly string[] = [
  metaTable,
  damagedTable,
  requestsTable,
  workingTable,
  waitingTable,
  cancelsTable,
  responsesTable,
  reportsTable,
  unreportedTable,
  bodiesTable,
  idsTable,
  doneTable,
  doneBlocksTable,
  deadTable,
  filesTable,
  talliesTable,
].map(({ name }) => name);
