/**
 * How what is done lies on disk: as rows, and many rows as a block (done-entries.ts).
 */
import type { TableFormat } from './ledger-table.ts';
import { type Fields, readLists, sealContent, sealFields, unsealContent, unsealFields } from './record.ts';
import type { DoneBlock, FinishedRequest, StoredDone } from './stored.ts';
import { origins, redeliveries } from './words.ts';

function finishedFields(was: FinishedRequest): readonly unknown[] {
  return [
    was.directive,
    was.size,
    was.queuedAt,
    was.startedAt,
    was.attempts,
    Number(was.cancel),
    was.origin,
    was.redelivery,
  ];
}

function readFinished(fields: Fields): FinishedRequest {
  return {
    directive: fields.text(),
    size: fields.number(),
    queuedAt: fields.number(),
    startedAt: fields.number(),
    attempts: fields.number(),
    cancel: fields.flag(),
    origin: fields.word(origins),
    redelivery: fields.word(redeliveries),
  };
}

function doneFields({ at, was, hash }: StoredDone): readonly unknown[] {
  return was ? [at, ...finishedFields(was), hash] : [at];
}

function readDone(id: string, fields: Fields): StoredDone {
  const at = fields.number();
  const was = fields.ended ? undefined : readFinished(fields);
  return { id, at, was, hash: fields.lateText() };
}

/** Keeps those that are going to be in the next block. */
export const doneTable: TableFormat<number, StoredDone> = {
  name: 'done',
  encode: (done) => sealFields([done.id, ...doneFields(done)]),
  decode(_sequence, record) {
    const fields = unsealFields(record);
    return readDone(fields.text(), fields);
  },
  keep: 1_024,
};

/** What is read at every start, and behind it what is read when somebody asks. */
export const doneBlocksTable: TableFormat<number, DoneBlock> = {
  name: 'done-blocks',
  encode({ sequences, ids, entries }) {
    const rest = JSON.stringify(entries().map(doneFields));
    return sealContent([ids.length, ...sequences, ...ids], Buffer.from(rest));
  },
  decode(_last, record) {
    const { fields, content } = unsealContent(record);
    const count = fields.number();
    const sequences = Array.from({ length: count }, () => fields.number());
    const ids = Array.from({ length: count }, () => fields.text());
    return {
      sequences,
      ids,
      entries: () => readLists(content, count).map((list, at) => readDone(ids[at] ?? '', list)),
    };
  },
  keep: 0,
};
