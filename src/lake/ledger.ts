import { randomUUID } from 'node:crypto';
import type { Applied, Batch, SourceIdentity } from '../model/batch.ts';
import type { Sql } from './engine.ts';
import { statement } from './statement.ts';

/** A row of the ledger: a batch; or, without changes of its own, one of kind `schema` (DDL was followed) or `load`. */
export type LedgerRow = Omit<Batch, 'kind'> & { readonly kind: Batch['kind'] | 'schema' | 'load' };

/** The ledger's row. What ends with it is in the lake. */
export async function writeLedger(
  sql: Sql,
  batchId: number,
  { id, ordinal, kind, cut }: LedgerRow,
  { rows, firstSeq, lastSeq }: Pick<Applied, 'rows' | 'firstSeq' | 'lastSeq'>,
  source: SourceIdentity,
): Promise<void> {
  await sql.run(statement('ledger'), {
    batch_id: batchId,
    batch_uuid: id,
    source_ordinal: ordinal,
    kind,
    cut,
    rows,
    first_seq: firstSeq,
    last_seq: lastSeq,
    system_identifier: source.systemIdentifier,
    timeline: source.timeline,
    database: source.database,
    epoch: source.epoch,
  });
}

/** A row of the ledger without changes: what goes with a table has a time, and other writers learn that the registry is another. */
export async function writeQuiet(sql: Sql, batchId: number, kind: 'schema' | 'load', cut: string, source: SourceIdentity): Promise<void> {
  const [last] = await sql.rows('SELECT source_ordinal FROM lake.sluice.batch ORDER BY batch_id DESC LIMIT 1');
  const row = { id: randomUUID(), ordinal: Number(last?.source_ordinal ?? 0), kind, cut };
  await writeLedger(sql, batchId, row, { rows: 0, firstSeq: null, lastSeq: null }, source);
}

/** The number of the last batch, by whose update a second writer's commit fails. */
export async function moveAnchor(sql: Sql, batchId: number): Promise<void> {
  await sql.run('UPDATE lake.sluice.anchor SET last_batch_id = $batch_id::BIGINT', { batch_id: batchId });
}
