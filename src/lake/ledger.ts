import type { Applied, Batch, SourceIdentity } from '../model/batch.ts';
import type { Sql } from './engine.ts';
import { statement } from './statement.ts';

/** The ledger's row. What ends with it is in the lake. */
export async function writeLedger(
  sql: Sql,
  batchId: number,
  { id, ordinal, kind, cut }: Batch,
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

/** Rows of the ledger without changes: what goes with a table has a time, and other writers learn that the registry is another. */
export async function writeQuiet(
  sql: Sql,
  batchIds: readonly number[],
  kind: 'schema' | 'load',
  cut: string,
  source: SourceIdentity,
): Promise<void> {
  if (batchIds.length === 0) return;
  await sql.run(statement('ledger_quiet'), {
    batch_ids: JSON.stringify(batchIds),
    kind,
    cut,
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
