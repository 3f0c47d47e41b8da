import { expect } from 'vitest';
import type { Sql } from '../../src/source/index.ts';

type Query = (sql: string) => Promise<Record<string, unknown>[]>;

const quote = (name: string) => `"${name.replaceAll('"', '""')}"`;
const place = (schema: string, table: string) => `${quote(schema)}.${quote(table)}`;
const sorted = (rows: readonly object[]) => rows.map((row) => JSON.stringify(Object.entries(row).sort())).sort();

interface Column {
  readonly name: string;
  /** Of what is below a domain. */
  readonly type: string;
  readonly array: boolean;
}

/** A column as a text that is the same in PostgreSQL and in DuckDB. */
function texts({ name, type, array }: Column): { source: string; lake: string } {
  const c = quote(name);
  const as = (source: string, lake: string) => ({ source: `${source} AS ${c}`, lake: `${lake} AS ${c}` });
  if (array) return as(`to_json(${c})::text`, `CASE WHEN ${c} IS NOT NULL THEN to_json(${c})::VARCHAR END`);
  if (type === 'bytea') return as(`encode(${c}, 'hex')`, `lower(hex(${c}))`);
  if (type === 'timestamp with time zone') return as(`(${c} AT TIME ZONE 'UTC')::text`, `(${c} AT TIME ZONE 'UTC')::VARCHAR`);
  // A cast would strip the blanks that its type pads with.
  if (type === 'character') return as(`to_json(${c}) #>> '{}'`, c);
  return as(`${c}::text`, `${c}::VARCHAR`);
}

async function columnsOf(sql: Sql, schema: string, relation: string): Promise<Column[]> {
  return sql<Column[]>`
    WITH RECURSIVE base (attnum, name, oid) AS (
      SELECT attnum, attname, atttypid FROM pg_attribute
      WHERE attrelid = format('%I.%I', ${schema}::text, ${relation}::text)::regclass AND attnum > 0 AND NOT attisdropped
      UNION ALL
      SELECT b.attnum, b.name, t.typbasetype FROM base b JOIN pg_type t ON t.oid = b.oid AND t.typtype = 'd'
    )
    SELECT b.name, format_type(b.oid, NULL) AS type, t.typcategory = 'A' AS array FROM base b JOIN pg_type t ON t.oid = b.oid AND t.typtype <> 'd' ORDER BY b.attnum`;
}

/**
 * Invariant 3: the state of a table equals the source, and so does what its history has as current. Compares texts, so it is not for columns of
 * float4, float8 or timetz, nor for arrays of what JSON writes in two ways.
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
  const columns = await columnsOf(sql, schema, table);
  const source = await sql.unsafe(`SELECT ${columns.map((one) => texts(one).source).join(', ')} FROM ${place(schema, table)}`);
  const expected = sorted(source.map((row) => ({ ...row })));
  const lake = columns.map((one) => texts(one).lake).join(', ');
  expect(sorted(await query(`SELECT ${lake} FROM ${state}`)), `state of ${schema}.${table}`).toEqual(expected);
  const current = await query(`SELECT ${lake} FROM ${place(`${inLake.schema}_history`, inLake.table)} WHERE is_current`);
  expect(sorted(current), `history of ${schema}.${table}`).toEqual(expected);
  const [described] = await query(`SELECT list(column_name ORDER BY column_name) AS names FROM (DESCRIBE ${state})`);
  expect(described?.names).toEqual(columns.map(({ name }) => name).sort());
}

/** The query of a view of the source gives the same when it is asked of the lake, as text. Returns how many rows. */
export async function expectViewEqualsInLake(sql: Sql, query: Query, view: string, definition: string): Promise<number> {
  const columns = await columnsOf(sql, 'public', view);
  const source = await sql.unsafe(`SELECT ${columns.map((one) => texts(one).source).join(', ')} FROM public.${quote(view)}`);
  const lake = await query(`SELECT ${columns.map((one) => texts(one).lake).join(', ')} FROM (${definition}) AS asked`);
  expect(sorted(lake), `view ${view}`).toEqual(sorted(source.map((row) => ({ ...row }))));
  return source.length;
}
