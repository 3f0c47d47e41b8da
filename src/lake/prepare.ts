import { type Evolution, evolve } from '../model/evolution.ts';
import { inOrder } from '../model/lake-place.ts';
import type { LakeTable, SourceTable } from '../model/table.ts';
import { boundCondition } from './bound.ts';
import type { Sql } from './engine.ts';
import { ident } from './sql.ts';
import { readTruncates, type TableBatch, type Truncate } from './typed-apply.ts';
import { typeChanges } from './typing.ts';

/**
 * Everything about the tables of the staged batch that may fail, before its transaction: what has to change in the lake, and the typed changes.
 * @param last the number of the batch before this one
 */
export async function prepareTables(
  sql: Sql,
  registry: readonly LakeTable[],
  tables: readonly SourceTable[],
  last: number | undefined,
): Promise<TableBatch[]> {
  const truncates = await readTruncates(sql);
  const staged = await stagedRows(sql);
  let known = [...registry];
  const prepared: TableBatch[] = [];
  for (const source of inOrder(tables, registry)) {
    const mine = ownEntry(known, source);
    const displaced = source.relid !== null && mine === undefined && known.some(({ id }) => id === source.id);
    // Schema audit was made anew and gave the id to another table: the one that had it keeps its place in the lake under a free number.
    const free = Math.min(0, ...known.map(({ id }) => id)) - 1;
    if (displaced) known = known.map((one) => (one.id === source.id ? { ...one, id: free } : one));
    const others = known.filter((one) => one !== mine);
    const evolution = evolve(mine, source, others);
    known = [...others.filter(({ id }) => id !== evolution.replaces), evolution.table];
    // A table that is gone is typed as it was known; one that never was known stays in the log alone.
    const own = truncates.filter(({ tableId }) => tableId === source.id);
    const batch = await prepareTable(sql, evolution, { staged: staged.has(source.id), truncates: own, filled: source.filled, last });
    prepared.push(displaced ? { ...batch, displaced: { id: source.id, free } } : batch);
  }
  return prepared;
}

/** The same of one table whose evolution is known. `staged`: whether it has other changes than TRUNCATEs there. */
export async function prepareTable(
  sql: Sql,
  evolution: Evolution,
  {
    staged,
    truncates,
    filled,
    last,
  }: { staged: boolean; truncates: readonly Truncate[]; filled: Readonly<Record<string, unknown>>; last?: number | undefined },
): Promise<TableBatch> {
  const typed = staged && evolution.table.columns.length > 0 ? await typeChanges(sql, evolution, filled, last) : undefined;
  const able: Truncate[] = [];
  const unable: Truncate[] = [];
  for (const one of [...truncates, ...(await goneWith(sql, evolution))])
    ((await understood(sql, evolution, one)) ? able : unable).push(one);
  return { evolution, truncates: able, unable, ...(typed && { typed }) };
}

/** A partition that was detached or dropped is as one that was truncated after all changes of the batch: DDL waits for who has changed it. */
async function goneWith(sql: Sql, { table, changes }: Evolution): Promise<Truncate[]> {
  const gone = changes.flatMap((one) => (one.change === 'partition_dropped' ? [one.partition] : []));
  if (gone.length === 0) return [];
  const [last] = await sql.rows(`SELECT coalesce(max(cdc_seq), 0) + 1 AS seq FROM temp.stage WHERE table_id = ${table.id}`);
  return gone.map(({ name, bound }) => ({ tableId: table.id, seq: String(last?.seq), bound, partition: name }));
}

/** Ids of the tables that have other changes than TRUNCATEs in the staging table. */
export async function stagedRows(sql: Sql): Promise<ReadonlySet<number>> {
  const rows = await sql.rows("SELECT DISTINCT table_id FROM temp.stage WHERE cdc_op <> 'T'");
  return new Set(rows.map((row) => Number(row.table_id)));
}

/** The registry's entry of this id, unless schema audit was made anew and has given the id to another table. */
function ownEntry(known: readonly LakeTable[], source: SourceTable): LakeTable | undefined {
  const entry = known.find(({ id }) => id === source.id);
  if (entry === undefined || source.relid === null) return entry;
  const same = entry.relid === source.relid || (entry.source.schema === source.schema && entry.source.name === source.name);
  return same ? entry : undefined;
}

/** A failure inside the transaction would hold up every batch, so a partition's condition that DuckDB does not understand is found out here. */
async function understood(sql: Sql, { table }: Evolution, { bound }: Truncate): Promise<boolean> {
  if (bound === null) return true;
  const columns = table.columns.map(({ name, lakeType }) => `NULL::${lakeType} AS ${ident(name)}`).join(', ');
  return sql.rows(`SELECT 1 FROM (SELECT ${columns}) AS t WHERE ${boundCondition(bound, table.columns)}`).then(
    () => true,
    () => false,
  );
}
