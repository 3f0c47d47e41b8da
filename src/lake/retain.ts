import type { Retained } from '../model/batch.ts';
import type { LakeTable } from '../model/table.ts';
import type { Sql } from './engine.ts';
import { statement } from './statement.ts';
import { keysOf, partsOf, sameValues } from './table-sql.ts';

/** How much one transaction takes away at most; a batch that is larger by itself goes whole. */
export interface RetainSlice {
  readonly changes: number;
  readonly batches: number;
}

/**
 * While it runs no batch is applied, so it has to be short. Each batch is a file of its own in a lake that nobody has compacted: dropping a whole one
 * takes 0.3 ms, leaving a few rows of it 1.6 ms.
 */
const SLICE: RetainSlice = { changes: 500_000, batches: 500 };

/** The last batch whose changes have been taken away; 0 where none were. */
export async function readHorizon(sql: Sql): Promise<number> {
  const [row] = await sql.rows('SELECT coalesce(max(batch_id), 0) AS batch_id FROM lake.sluice.retained');
  return Number(row?.batch_id);
}

/**
 * Take away the changes of the oldest batches, in the lake's transaction. What stays of them in a typed log is the last change of each key whose row
 * was there at the last of these batches, so that history and as-of are exact from its cut on: just what as_of.sql would read for it. Rows of the state
 * are not touched; rows of tables without a key simply go. Returns undefined where no batch has a cut before `before` (ISO 8601).
 */
export async function retainSlice(
  sql: Sql,
  before: string,
  tables: readonly LakeTable[],
  { changes, batches }: RetainSlice = SLICE,
): Promise<Retained | undefined> {
  const done = await readHorizon(sql);
  const [slice] = await sql.rows(statement('retain_slice'), { done, before, changes, batches });
  if (slice === undefined || slice.last === null) return undefined;
  const last = Number(slice.last);
  const ids = new Set((await sql.rows(statement('retain_concerned'), { done, last })).map((row) => Number(row.table_id)));
  const losses = await sql.rows('SELECT 1 FROM lake.sluice.loss WHERE batch_id <= $last::BIGINT LIMIT 1', { last });
  const logged = tables.filter(({ columns }) => columns.length > 0);
  for (const table of logged.filter(({ id }) => ids.has(id))) {
    const parts = partsOf(table);
    if (losses.length > 0) await sql.run(statement('retain_losses_of', parts), { last });
    await retainTable(sql, table, done, last);
    if (losses.length > 0) await sql.run(statement('retain_losses', parts));
  }
  await sql.run('DELETE FROM lake.main.cdc WHERE batch_id <= $last::BIGINT', { last });
  await sql.run(statement('retain_folded'), { last });
  await sql.run(
    'DELETE FROM lake.sluice.batch_table WHERE batch_id <= $last::BIGINT AND table_id IN (SELECT table_id FROM temp.retain_folded)',
    {
      last,
    },
  );
  await sql.run('INSERT INTO lake.sluice.batch_table FROM temp.retain_folded');
  if (slice.more !== true) await retainLedger(sql, logged, last);
  await sql.run('DELETE FROM lake.sluice.retained');
  await sql.run('INSERT INTO lake.sluice.retained VALUES ($last::BIGINT, $cut::TIMESTAMPTZ, now())', { last, cut: String(slice.cut) });
  return { batchId: last, cut: String(slice.cut), changes: Number(slice.changes), more: slice.more === true };
}

async function retainTable(sql: Sql, table: LakeTable, done: number, last: number): Promise<void> {
  const parts = partsOf(table);
  const keys = keysOf(table);
  if (keys.length === 0) {
    await sql.run(`DELETE FROM ${parts.changes} WHERE ${parts.batch} <= $last::BIGINT`, { last });
    return;
  }
  await sql.run(statement('retain_last', parts), { done, last });
  await sql.run(statement('retain_truncated', parts), { done, last });
  const same_key = sameValues(keys, 'c', 'l', 'IS NOT DISTINCT FROM');
  await sql.run(statement('retain_changes', { ...parts, same_key }), { last });
}

/** All logs are asked, so only once a run: 1,000 of them take a second. */
async function retainLedger(sql: Sql, tables: readonly LakeTable[], last: number): Promise<void> {
  await sql.run('CREATE OR REPLACE TEMP TABLE retain_batch (batch_id BIGINT)');
  for (const table of tables) await sql.run(statement('retain_referred', partsOf(table)), { last });
  await sql.run(statement('retain_ledger'), { last });
}
