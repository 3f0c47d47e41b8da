import { expect } from 'vitest';
import type { Sql } from '../../src/source/index.ts';

type Query = (sql: string) => Promise<Record<string, unknown>[]>;

const quote = (name: string) => `"${name.replaceAll('"', '""')}"`;
const place = (schema: string, table: string) => `${quote(schema)}.${quote(table)}`;
const sorted = (rows: readonly object[]) => rows.map((row) => JSON.stringify(Object.entries(row).sort())).sort();

/**
 * Invariant 3: the state of a table equals the source, and so does what its history has as current. Compares texts, so it is for columns whose
 * text is the same in PostgreSQL and DuckDB (integers, text, boolean, numeric, jsonb, date).
 * @param inLake what it is called there
 */
export async function expectStateEqualsTable(
  sql: Sql,
  query: Query,
  schema: string,
  table: string,
  inLake = { schema, table },
): Promise<void> {
  const state = place(inLake.schema, inLake.table);
  const columns = await sql<{ name: string }[]>`
    SELECT attname AS name FROM pg_attribute WHERE attrelid = format('%I.%I', ${schema}::text, ${table}::text)::regclass AND attnum > 0 AND NOT attisdropped ORDER BY attnum`;
  const quoted = columns.map(({ name }) => quote(name));
  const source = await sql.unsafe(`SELECT ${quoted.map((c) => `${c}::text AS ${c}`).join(', ')} FROM ${place(schema, table)}`);
  const expected = sorted(source.map((row) => ({ ...row })));
  const cast = quoted.map((c) => `${c}::VARCHAR AS ${c}`).join(', ');
  expect(sorted(await query(`SELECT ${cast} FROM ${state}`)), `state of ${schema}.${table}`).toEqual(expected);
  const current = await query(`SELECT ${cast} FROM ${place(`${inLake.schema}_history`, inLake.table)} WHERE is_current`);
  expect(sorted(current), `history of ${schema}.${table}`).toEqual(expected);
  const [described] = await query(`SELECT list(column_name ORDER BY column_name) AS names FROM (DESCRIBE ${state})`);
  expect(described?.names).toEqual(columns.map(({ name }) => name).sort());
}
