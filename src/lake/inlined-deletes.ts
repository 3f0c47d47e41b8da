import { type LakeConfig, metadataSchemaOf } from './config.ts';
import type { Engine, Sql } from './engine.ts';
import { ident, literal } from './sql.ts';

/**
 * Make the catalog's tables for inlined deletes of these tables of the lake, empty, as DuckLake does with a table's first DELETE of few rows of a file.
 *
 * Whoever reads or changes a table of a DuckLake needs them, and while there is none DuckLake looks again after every snapshot: a look that fails, 5 ms on a catalog in
 * PostgreSQL, of each table of a batch. One that is there it remembers. Only an improvement: where it fails, all goes on as before. Not within a transaction.
 * Nothing for other catalogs: they answer within the process.
 */
export async function makeInlinedDeletes(
  sql: Sql,
  config: LakeConfig,
  tables: readonly { readonly schema: string; readonly name: string }[],
  log: Engine['log'],
): Promise<void> {
  if (config.type !== 'ducklake' || !config.catalog.startsWith('postgres') || tables.length === 0) return;
  const schema = ident(metadataSchemaOf(config));
  const named = tables.map((table) => `(${quoted(table.schema)}, ${quoted(table.name)})`).join(', ');
  const lacking = `SELECT t.table_id FROM ${schema}.ducklake_table t JOIN ${schema}.ducklake_schema s ON s.schema_id = t.schema_id AND s.end_snapshot IS NULL
    WHERE t.end_snapshot IS NULL AND (s.schema_name, t.table_name) IN (${named}) AND to_regclass(${quoted(schema)} || '.ducklake_inlined_delete_' || t.table_id) IS NULL`;
  try {
    for (const { table_id } of await sql.rows(`FROM postgres_query('__ducklake_metadata_lake', ${literal(lacking)})`)) {
      await sql.run(
        `CREATE TABLE IF NOT EXISTS __ducklake_metadata_lake.${schema}.ducklake_inlined_delete_${table_id} (file_id BIGINT, row_id BIGINT, begin_snapshot BIGINT)`,
      );
    }
  } catch (error) {
    // Another process may make them at the same time.
    log.debug({ tables: tables.length, reason: (error as Error).message.slice(0, 200) }, 'tables for inlined deletes were not made');
  }
}

/** A string literal of PostgreSQL. */
function quoted(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}
