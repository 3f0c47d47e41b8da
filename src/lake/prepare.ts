import type { Contents, TableContents, Truncate } from '../model/batch.ts';
import { type Evolution, evolve } from '../model/evolution.ts';
import { inOrder } from '../model/lake-place.ts';
import type { LakeTable, SourceTable } from '../model/table.ts';
import { boundCondition } from './bound.ts';
import type { Sql } from './engine.ts';
import { ident } from './sql.ts';
import type { TableBatch } from './typed-apply.ts';
import type { ToType } from './typing.ts';

/**
 * What becomes of the tables of a batch, before its transaction: an error of DuckDB's would end that.
 * @param changes what the batch holds, by table id
 * @param how see ToType
 */
export async function prepareTables(
  sql: Sql,
  registry: readonly LakeTable[],
  tables: readonly SourceTable[],
  changes: Contents['changes'],
  how: Pick<ToType, 'last' | 'wide'>,
): Promise<TableBatch[]> {
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
    const batch = await prepareTable(sql, evolution, changes[source.id], { filled: source.filled, ...how });
    prepared.push(displaced ? { ...batch, displaced: { id: source.id, free } } : batch);
  }
  return prepared;
}

/** The same of one table whose evolution is known. */
export async function prepareTable(
  sql: Sql,
  evolution: Evolution,
  contents: TableContents | undefined,
  how: Pick<ToType, 'filled' | 'last' | 'wide'>,
): Promise<TableBatch> {
  const { rows = 0, context = false, truncates = [], lastSeq = '0' } = contents ?? {};
  const able: Truncate[] = [];
  const unable: Truncate[] = [];
  for (const one of [...truncates, ...goneWith(evolution, lastSeq)]) ((await understood(sql, evolution, one)) ? able : unable).push(one);
  const toType =
    rows > truncates.length && evolution.table.columns.length > 0 ? { rows: rows - truncates.length, context, ...how } : undefined;
  return { evolution, truncates: able, unable, ...(toType && { toType }) };
}

/** A partition that was detached or dropped is as one that was truncated after all changes of the batch: DDL waits for who has changed it. */
function goneWith({ changes }: Evolution, lastSeq: string): Truncate[] {
  const seq = String(BigInt(lastSeq) + 1n);
  return changes.flatMap((one) =>
    one.change === 'partition_dropped' ? [{ seq, bound: one.partition.bound, partition: one.partition.name }] : [],
  );
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
