/**
 * The tables that belong to the ledger and not to the rules: its numbers, and the damaged records it put aside.
 */
import type { TableFormat } from './ledger-table.ts';
import { sealContent, sealFields, unsealContent, unsealFields } from './record.ts';
import type { Store } from './store.ts';

/** How many damaged records are kept for somebody to look at. */
export const damagedLimit = 1_000;

/** Under which `meta` has the last sequence that was given out. */
export const sequenceKey = 'sequence';

export const metaTable: TableFormat<string, number> = {
  name: 'meta',
  encode: (value) => sealFields([value]),
  decode: (_key, record) => unsealFields(record).number(),
  keep: Infinity,
};

/** The last sequence that was given out, as a transaction said; 0 when there was none. */
export function sequenceIn(store: Store): number {
  const record = store.get(metaTable.name, sequenceKey);
  return record ? metaTable.decode(sequenceKey, record) : 0;
}

/** A record that was not what had been written, as it was found. */
export interface DamagedEntry {
  readonly table: string;
  readonly key: string;
  readonly reason: string;
  readonly record: Uint8Array;
}

export const damagedTable: TableFormat<number, DamagedEntry> = {
  name: 'damaged',
  encode: ({ table, key, reason, record }) => sealContent([table, key, reason], record),
  decode(_key, bytes) {
    const { fields, content: record } = unsealContent(bytes);
    return { table: fields.text(), key: fields.text(), reason: fields.text(), record };
  },
  keep: 0,
};
