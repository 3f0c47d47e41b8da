import type { Sql } from '../src/source/index.ts';

/** A table of ten columns; its captured rows are about 260 bytes of JSON. */
export async function makeWide(sql: Sql, table = 'wide'): Promise<void> {
  await sql`CREATE TABLE ${sql(table)} (id bigint PRIMARY KEY, a int, b int, c numeric(12, 2), d text, e text, f timestamptz, g boolean, h double precision, i date)`;
}

/** `rows` rows with ids from `from` on, `step` apart. */
export async function fillWide(sql: Sql, { table = 'wide', from = 1, rows = 1, step = 1 } = {}): Promise<void> {
  await sql`
    INSERT INTO ${sql(table)} SELECT g, g % 1000, g % 7, g * 0.37, 'customer ' || g, md5(g::text) || md5((g + 1)::text), now(), g % 2 = 0, g / 3.0, current_date
    FROM generate_series(${from}::bigint, ${from + (rows - 1) * step}::bigint, ${step}::bigint) g`;
}

/**
 * `changes` changes: half are new rows, half UPDATEs of those that the round before brought. Rounds count from 0, which finds nothing to update; ids from
 * `first`.
 */
export async function churnWide(sql: Sql, { table = 'wide', changes = 2, round = 0, first = 1 } = {}): Promise<void> {
  const rows = changes / 2;
  const from = first + round * rows;
  await fillWide(sql, { table, from, rows });
  await sql`UPDATE ${sql(table)} SET a = a + 1, e = md5(e) || d WHERE id >= ${from - rows} AND id < ${from}`;
}
