import type { LakeTable } from '../model/table.ts';
import type { Sql } from './engine.ts';
import { statement } from './statement.ts';

/** All tables that the lake has or had. `lake`: the name that it is attached under. */
export async function readRegistry(sql: Sql, lake = 'lake'): Promise<LakeTable[]> {
  const rows = await sql.rows(statement('registry', { lake }));
  return rows.map((row) => ({
    id: Number(row.table_id),
    relid: row.relid === null ? null : String(row.relid),
    source: { schema: String(row.source_schema), name: String(row.source_name) },
    lake: { schema: String(row.lake_schema), name: String(row.lake_name) },
    wanted: { schema: String(row.wanted_schema), name: String(row.wanted_name) },
    columns: JSON.parse(String(row.columns)),
    left: JSON.parse(String(row.left)),
    key: row.key === null ? null : JSON.parse(String(row.key)),
    own: JSON.parse(String(row.own)),
    partitions: JSON.parse(String(row.partitions)),
    ...(row.before !== null && { before: JSON.parse(String(row.before)) }),
    dropped: row.dropped === true,
    ...(row.held !== null && { held: JSON.parse(String(row.held)) }),
  }));
}

/** Put these tables in the place of those with the same ids, in the lake's transaction. */
export async function register(sql: Sql, tables: readonly LakeTable[]): Promise<void> {
  if (tables.length === 0) return;
  await sql.run(`DELETE FROM lake.sluice."table" WHERE table_id IN (${tables.map(({ id }) => id).join(', ')})`);
  const json = (value: unknown) => (value === undefined || value === null ? null : JSON.stringify(value));
  const rows = tables.map((table) => ({
    table_id: table.id,
    relid: table.relid,
    source_schema: table.source.schema,
    source_name: table.source.name,
    lake_schema: table.lake.schema,
    lake_name: table.lake.name,
    wanted_schema: table.wanted.schema,
    wanted_name: table.wanted.name,
    columns: json(table.columns),
    left: json(table.left),
    key: json(table.key),
    own: json(table.own),
    partitions: json(table.partitions),
    before: json(table.before),
    dropped: table.dropped,
    held: json(table.held),
  }));
  await sql.run(statement('register'), { tables: JSON.stringify(rows) });
}
