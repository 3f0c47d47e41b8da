import type { Contents, Staged, TableContents } from '../model/batch.ts';
import { SluiceError } from '../model/error.ts';
import type { Sql } from './engine.ts';
import { lakeError } from './errors.ts';
import { statement } from './statement.ts';

/**
 * A staged column as JSON that DuckDB can read. `postgres_query` gives json as VARCHAR, so DuckDB's cast checks every text once more, and one
 * that it refuses would stop the batch for ever. PostgreSQL's JSON is DuckDB's but for a lone surrogate such as "\\ud800" in a json column: such a
 * text is kept as a JSON string that holds it.
 */
export function stagedJson(column: string): string {
  return `CASE WHEN contains(${column}::VARCHAR, '\\u') THEN coalesce(TRY_CAST(${column}::VARCHAR AS JSON), to_json(${column}::VARCHAR)) ELSE ${column} END`;
}

/**
 * The columns of the staging table. A TEMP table of the engine's connection: it may be written beside the lake in one transaction, and it spills
 * to the temp directory where it exceeds the memory limit.
 */
const COLUMNS = '(cdc_seq BIGINT, cdc_xid BIGINT, cdc_ts TIMESTAMPTZ, cdc_op VARCHAR, table_id INTEGER, data JSON, context JSON)';

/** For what is applied without a batch. */
export async function stageNothing(sql: Sql): Promise<void> {
  await forgetStage(sql);
  await sql.run(`CREATE TEMP TABLE stage ${COLUMNS}`);
}

/**
 * The batch as the lake's statements read it, where it was logged already: a view of its rows in the log, which is in the transaction that
 * this is called in.
 */
export async function stageLogged(sql: Sql, batchId: number): Promise<void> {
  await sql.run(
    `CREATE TEMP VIEW stage AS SELECT cdc_seq, cdc_xid, cdc_ts, cdc_op, table_id, data, context FROM lake.main.cdc WHERE batch_id = ${batchId}`,
  );
}

/** Drop what the batch before this one has left; an idle daemon would keep it in memory. kind: what it is, where that is known. */
export async function forgetStage(sql: Sql, kind?: 'VIEW' | 'TABLE'): Promise<void> {
  // Each fails where it is the other.
  for (const one of kind === undefined ? ['VIEW', 'TABLE'] : [kind])
    await sql.run(`DROP ${one} IF EXISTS temp.stage`).catch(() => undefined);
}

/**
 * Make the staging table anew, let `fill` insert the reader's rows and check that all came.
 * Rejects with `stage_incomplete` when they did not; after any rejection the staging table is gone.
 */
export async function stageWith(sql: Sql, contents: Contents, fill: () => Promise<void>): Promise<Staged> {
  try {
    await stageNothing(sql);
    await fill();
    const [counted] = await sql.rows('SELECT count(*) AS n FROM temp.stage');
    if (Number(counted?.n) !== contents.rows) throw incomplete(`${counted?.n} rows arrived, the source counted ${contents.rows}`);
    return staged(contents);
  } catch (error) {
    await forgetStage(sql);
    throw error;
  }
}

/** A batch that lies in the staging table. */
export function staged(contents: Contents): Staged {
  return { contents, from: [STAGE], failure: (error) => lakeError(error, 'reading the staged batch'), close: async () => undefined };
}

/** The staging table, as what a batch is read from. */
export const STAGE = 'temp.stage';

/** What lies in temp.stage, by table id; of a batch from the source, the source tells. */
export async function stagedContents(sql: Sql): Promise<Map<number, TableContents>> {
  const rows = await sql.rows(statement('staged_contents'));
  const truncates = await sql.rows(statement('staged_truncates'));
  const text = (value: unknown) => (value === null || value === undefined ? null : String(value));
  return new Map(
    rows.map(({ table_id, n, last_seq, context }) => [
      Number(table_id),
      {
        rows: Number(n),
        lastSeq: String(last_seq),
        context: context === true,
        truncates: truncates
          .filter((row) => row.table_id === table_id)
          .map((row) => ({ seq: String(row.cdc_seq), bound: text(row.bound), partition: text(row.partition) })),
      },
    ]),
  );
}

/** A failure to read the batch: `lake_full` and `lake_memory` are the engine's, everything else is the source's. */
export function stageError(error: unknown, secrets: readonly string[]): SluiceError {
  const wrapped = lakeError(error, 'staging', secrets);
  if (error instanceof SluiceError || wrapped.code === 'lake_full' || wrapped.code === 'lake_memory') return wrapped;
  const detail = wrapped.cause instanceof Error ? wrapped.cause.message : '';
  return new SluiceError('stage_failed', `The batch could not be read from the source: ${detail}`, REMEDY, { cause: wrapped.cause });
}

export const REMEDY = 'Check that the source is up and reachable. Nothing is lost: the batch stays at the source and is read again.';

export function incomplete(why: string): SluiceError {
  return new SluiceError('stage_incomplete', `The batch did not arrive whole: ${why}`, REMEDY);
}
