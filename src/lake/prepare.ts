import { type Evolution, evolve } from '../model/evolution.ts';
import type { LakeTable, SourceTable } from '../model/table.ts';
import type { Sql } from './engine.ts';
import { ident } from './sql.ts';
import { boundCondition, readTruncates, type TableBatch, type Truncate } from './typed-apply.ts';
import { typeChanges } from './typing.ts';

/** Everything about the tables of the staged batch that may fail, before its transaction: what has to change in the lake, and the typed changes. */
export async function prepareTables(sql: Sql, registry: readonly LakeTable[], tables: readonly SourceTable[]): Promise<TableBatch[]> {
  const truncates = await readTruncates(sql);
  const staged = new Set(
    (await sql.rows("SELECT DISTINCT table_id FROM temp.stage WHERE cdc_op <> 'T'")).map((row) => Number(row.table_id)),
  );
  let known = [...registry];
  const prepared: TableBatch[] = [];
  // What is gone first: its name is free for another.
  for (const source of [...tables].sort((a, b) => Number(a.relid !== null) - Number(b.relid !== null))) {
    const mine = ownEntry(known, source);
    const others = known.filter((one) => one !== mine);
    const evolution = evolve(mine, source, others);
    known = [...others.filter(({ id }) => id !== evolution.replaces), evolution.table];
    // A table that is gone is typed as it was known; one that never was known stays in the log alone.
    const typed = staged.has(source.id) && evolution.table.columns.length > 0 ? await typeChanges(sql, evolution, source) : undefined;
    const own = await applicable(
      sql,
      evolution,
      truncates.filter(({ tableId }) => tableId === source.id),
    );
    prepared.push(typed === undefined ? { evolution, truncates: own } : { evolution, typed, truncates: own });
  }
  return prepared;
}

/** The registry's entry of this id, unless schema audit was made anew and has given the id to another table. */
function ownEntry(known: readonly LakeTable[], source: SourceTable): LakeTable | undefined {
  const entry = known.find(({ id }) => id === source.id);
  if (entry === undefined || source.relid === null) return entry;
  const same = entry.relid === source.relid || (entry.source.schema === source.schema && entry.source.name === source.name);
  return same ? entry : undefined;
}

/** TRUNCATEs of a partition only where DuckDB understands its condition: a failure inside the transaction would hold up every batch. */
async function applicable(sql: Sql, { table }: Evolution, truncates: readonly Truncate[]): Promise<Truncate[]> {
  const columns = table.columns.map(({ name, lakeType }) => `NULL::${lakeType} AS ${ident(name)}`).join(', ');
  const able: Truncate[] = [];
  for (const truncate of truncates) {
    const fits =
      truncate.bound === null ||
      (await sql.rows(`SELECT 1 FROM (SELECT ${columns}) AS t WHERE ${boundCondition(truncate.bound)}`).then(
        () => true,
        () => false,
      ));
    if (fits) able.push(truncate);
  }
  return able;
}
