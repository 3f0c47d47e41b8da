import { expect } from 'vitest';
import type { Sql } from '../../src/source/index.ts';

/** One row of the log. */
export interface LoggedChange {
  /** I, U, D or T. */
  readonly op: string;
  /** schema.name, unquoted. */
  readonly table: string;
  /** The row's JSON text; null for a T of a whole table. */
  readonly data: string | null;
  readonly seq: string;
}

/** What a table holds after a replay: row JSON texts by the captured text of their key (by a running number where there is no key). */
export type Rows = Map<string, string>;

/** A tracked table's name and key columns, null without a key. */
interface Tracked {
  readonly table: string;
  readonly qualified: string | null;
  readonly key: readonly string[] | null;
}

async function trackedTables(sql: Sql): Promise<Tracked[]> {
  return sql<Tracked[]>`
    SELECT coalesce(n.nspname, t.schema_name) || '.' || coalesce(c.relname, t.table_name) AS table,
      c.oid::regclass::text AS qualified, audit.fingerprint(t.relid) -> 'key' AS key
    FROM audit.tracked_table t LEFT JOIN pg_class c ON c.oid = t.relid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE t.relid IS NOT NULL AND c.oid IS NOT NULL`;
}

/** What waits in the buffer pair, in the order of capture. */
export async function readBuffer(sql: Sql): Promise<LoggedChange[]> {
  return sql<LoggedChange[]>`
    SELECT b.cdc_op::text AS op, coalesce(n.nspname, t.schema_name) || '.' || coalesce(c.relname, t.table_name) AS table,
      b.data::text AS data, b.cdc_seq::text AS seq
    FROM (SELECT * FROM audit.cdc UNION ALL SELECT * FROM audit.cdc_old) b
    JOIN audit.tracked_table t USING (table_id) LEFT JOIN pg_class c ON c.oid = t.relid LEFT JOIN pg_namespace n ON n.oid = c.relnamespace
    ORDER BY b.cdc_seq`;
}

/** The rows of a table as capture would write them: `row_to_json` under the settings that audit.refresh pins. */
export async function tableRows(sql: Sql, qualified: string): Promise<string[]> {
  return sql.begin('isolation level repeatable read read only', async (tx) => {
    await tx.unsafe(
      `SET LOCAL "TimeZone" = 'UTC'; SET LOCAL "DateStyle" = 'ISO, YMD'; SET LOCAL "IntervalStyle" = 'postgres';
       SET LOCAL bytea_output = 'hex'; SET LOCAL extra_float_digits = 1; SET LOCAL lc_monetary = 'C'`,
    );
    const rows = await tx.unsafe<{ image: string }[]>(`SELECT row_to_json(t.*)::text AS image FROM ${qualified} t`);
    return rows.map((row) => row.image);
  });
}

/** The members of a JSON object by name, values as they are written: numbers of any length survive. */
export function members(json: string): Map<string, string> {
  const found = new Map<string, string>();
  let at = 1;
  const stringEnd = (start: number): number => {
    for (let i = start + 1; ; i++) {
      if (json[i] === '\\') i++;
      else if (json[i] === '"') return i + 1;
    }
  };
  while (at < json.length && json[at] !== '}') {
    if (json[at] !== '"') {
      at++;
      continue;
    }
    const nameEnd = stringEnd(at);
    const name = JSON.parse(json.slice(at, nameEnd)) as string;
    const start = json.indexOf(':', nameEnd) + 1;
    let depth = 0;
    let end = start;
    for (; ; end++) {
      const char = json[end];
      if (char === '"') end = stringEnd(end) - 1;
      else if (char === '{' || char === '[') depth++;
      else if (depth === 0 && (char === ',' || char === '}')) break;
      else if (char === '}' || char === ']') depth--;
    }
    found.set(name, json.slice(start, end));
    at = json[end] === '}' ? end : end + 1;
  }
  return found;
}

function keyText(image: string, key: readonly string[]): string {
  const row = members(image);
  return key.map((column) => row.get(column) ?? '?').join(' ');
}

/**
 * Replays a log: I and U put the row under its key, D removes it, T empties the table or, where it names a partition, removes the rows
 * within that partition's bound (evaluated by PostgreSQL). A table without a key takes I, D (of one equal row) and T only.
 * @param changes in order: by cdc_seq out of the buffer, by (batch_id, cdc_seq) out of a lake
 * @returns tables by schema.name; the rows of tracked tables without a change are empty
 * @throws Error on a U of a table without a key, or a change of a table that the source does not track
 */
export async function replay(sql: Sql, changes: Iterable<LoggedChange>): Promise<Map<string, Rows>> {
  const tracked = new Map((await trackedTables(sql)).map((table) => [table.table, table]));
  const state = new Map<string, Rows>([...tracked.keys()].map((name) => [name, new Map()]));
  for (const { op, table, data, seq } of changes) {
    const rows = state.get(table);
    const known = tracked.get(table);
    if (!rows || !known) throw new Error(`change ${seq} is of ${table}, which is not tracked`);
    if (op === 'T') {
      if (data === null) rows.clear();
      else for (const key of await within(sql, known, rows, JSON.parse(data) as { bound: string })) rows.delete(key);
    } else if (data === null) {
      throw new Error(`change ${seq} of ${table} has no data`);
    } else if (known.key === null) {
      if (op === 'U') throw new Error(`change ${seq}: an update of ${table}, which has no key, can't be replayed`);
      if (op === 'I') rows.set(seq, data);
      else for (const [at, image] of rows) if (image === data && rows.delete(at)) break;
    } else if (op === 'D') {
      rows.delete(keyText(data, known.key));
    } else {
      rows.set(keyText(data, known.key), data);
    }
  }
  return state;
}

/** Keys of the rows that a truncated partition would hold. */
async function within(sql: Sql, table: Tracked, rows: Rows, truncated: { bound: string }): Promise<string[]> {
  const found = await sql.unsafe<{ key: string }[]>(
    `SELECT i.key FROM jsonb_to_recordset($1::text::jsonb) AS i (key text, image json)
     CROSS JOIN LATERAL json_populate_record(NULL::${table.qualified}, i.image) r WHERE ${truncated.bound}`,
    [JSON.stringify([...rows].map(([key, image]) => ({ key, image: JSON.parse(image) })))],
  );
  return found.map((row) => row.key);
}

export interface CompareOptions {
  /** The log, in order. Default: what waits in the buffer. */
  readonly changes?: Iterable<LoggedChange>;
  /** Only these (schema.name). Default: every tracked table. */
  readonly tables?: readonly string[];
  /** Rows that the log never mentions may be in the table: they were there before it was tracked. */
  readonly partial?: boolean;
  /** Compare by the columns that the table has now: some were added or dropped since. A member that the log lacks counts as null. */
  readonly columnsDiffer?: boolean;
}

/** Fails the test where a table's rows and the replayed log differ, naming up to five differences of each table. */
export async function expectReplayEqualsTable(sql: Sql, options: CompareOptions = {}): Promise<void> {
  expect(await replayDifferences(sql, options)).toEqual([]);
}

/** As `expectReplayEqualsTable`, but returns the differences: "table: key: what". */
export async function replayDifferences(sql: Sql, options: CompareOptions = {}): Promise<string[]> {
  const changes = [...(options.changes ?? (await readBuffer(sql)))];
  const replayed = await replay(sql, changes);
  const differences: string[] = [];
  for (const { table, qualified, key } of await trackedTables(sql)) {
    if (qualified === null || (options.tables && !options.tables.includes(table))) continue;
    const images = await tableRows(sql, qualified);
    const log = replayed.get(table) ?? new Map();
    const found = key === null ? compareBags(log, images) : compare(log, images, key, changes, table, options);
    differences.push(...found.slice(0, 5).map((text) => `${table}: ${text}`));
  }
  return differences;
}

function compareBags(log: Rows, images: readonly string[]): string[] {
  const left = [...log.values()];
  const found: string[] = [];
  for (const image of images) {
    const at = left.indexOf(image);
    if (at < 0) found.push(`not in the log: ${image.slice(0, 300)}`);
    else left.splice(at, 1);
  }
  return [...found, ...left.map((image) => `in the log only: ${image.slice(0, 300)}`)];
}

function compare(
  log: Rows,
  images: readonly string[],
  key: readonly string[],
  changes: readonly LoggedChange[],
  table: string,
  { partial, columnsDiffer }: CompareOptions,
): string[] {
  const mentioned = new Set(
    partial ? changes.filter((c) => c.table === table && c.data && c.op !== 'T').map((c) => keyText(c.data ?? '', key)) : [],
  );
  const rows = new Map(images.map((image) => [keyText(image, key), image]));
  const found: string[] = [];
  for (const [at, image] of rows) {
    const logged = log.get(at);
    if (logged === undefined) {
      if (!partial || mentioned.has(at)) found.push(`${at}: in the table only: ${image.slice(0, 300)}`);
    } else if (logged !== image && !(columnsDiffer && alike(image, logged))) {
      found.push(`${at}: table ${image.slice(0, 300)} log ${logged.slice(0, 300)}`);
    }
  }
  for (const [at, logged] of log) if (!rows.has(at)) found.push(`${at}: in the log only: ${logged.slice(0, 300)}`);
  return found;
}

function alike(image: string, logged: string): boolean {
  const log = members(logged);
  return [...members(image)].every(([name, value]) => (log.get(name) ?? 'null') === value);
}
