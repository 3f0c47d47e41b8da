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

/** The number of the last batch, by whose update a second writer's commit fails. */
export async function moveAnchor(sql: Sql, batchId: number): Promise<void> {
  await sql.run('UPDATE lake.sluice.anchor SET last_batch_id = $batch_id::BIGINT', { batch_id: batchId });
}
