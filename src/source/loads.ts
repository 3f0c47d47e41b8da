import type { Loaded, LoadMode } from '../model/load.ts';
import type { Sql } from './connect.ts';
import { LEADERSHIP } from './leadership.ts';
import { statement } from './sql.ts';

/** A load as people see it: a row of audit.load. */
export interface LoadStatus {
  readonly id: string;
  readonly tableId: number;
  readonly schema: string;
  readonly name: string;
  readonly mode: LoadMode;
  /** False: it waits. */
  readonly atWork: boolean;
  /** Rows read so far. */
  readonly read: number;
  /** Rows there are, as estimated; 0: no idea. */
  readonly expected: number;
  /** Since it began; null: it waits. */
  readonly seconds: number | null;
  readonly done: boolean;
  /** Null for one that is done: there was nothing to load any more, the table is gone. */
  readonly result: Loaded | null;
}

/** Ask whoever leads to load these tables. Returns the loads' ids, in the order of the tables. */
export async function requestLoads(
  sql: Sql,
  tableIds: readonly number[],
  { mode, sample }: { mode: Exclude<LoadMode, 'fill'>; sample?: number | undefined },
): Promise<string[]> {
  const [row] = await sql<{ ids: string[] }[]>`
    SELECT array_agg(audit.request_load(t.id, ${mode}, ${sample ?? null}::real) ORDER BY t.position) AS ids
    FROM unnest(${[...tableIds]}::int4[]) WITH ORDINALITY AS t (id, position)`;
  return row?.ids ?? [];
}

/** These loads, in no order; without ids all that are not done, those at work first. `led`: whether a daemon leads. */
export async function readLoads(sql: Sql, ids?: readonly string[]): Promise<{ loads: LoadStatus[]; led: boolean }> {
  const rows = await sql.unsafe<(LoadStatus & { led: boolean })[]>(statement('loads'), [ids ? [...ids] : null, LEADERSHIP.toString()]);
  return { loads: rows.map(({ led: _, ...load }) => load), led: rows[0]?.led ?? false };
}

/** What the last verification of a table has found. */
export interface Verification extends Loaded {
  readonly tableId: number;
  /** ISO 8601. */
  readonly at: string;
  /** Percent of the rows that were read, about; null: all. */
  readonly sample: number | null;
  /** What differed was mended, by it or by a load since. */
  readonly repaired: boolean;
}

/** The last verification of each tracked table that has one. */
export async function readVerifications(sql: Sql): Promise<Verification[]> {
  const rows = await sql.unsafe<{ table_id: number; at: Date; sample: number | null; repaired: boolean; result: Loaded }[]>(
    statement('verifications'),
  );
  return rows.map(({ table_id, at, sample, repaired, result }) => ({
    tableId: table_id,
    at: at.toISOString(),
    sample,
    repaired,
    ...result,
  }));
}
