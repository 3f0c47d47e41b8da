import type { Staged, StageHeader } from '../model/batch.ts';
import { SluiceError } from '../model/error.ts';
import type { Sql } from './engine.ts';
import { lakeError } from './errors.ts';

/**
 * A staged column as JSON that DuckDB can read. PostgreSQL's check stands for its own (0.4 s of one core per million rows), but for a text that is
 * JSON to PostgreSQL and not to DuckDB: a lone surrogate such as "\\ud800" in a json column. It is kept as a JSON string that holds that text,
 * rather than stopping the batch for ever.
 */
export function stagedJson(column: string): string {
  return `CASE WHEN contains(${column}::VARCHAR, '\\u') THEN coalesce(TRY_CAST(${column}::VARCHAR AS JSON), to_json(${column}::VARCHAR)) ELSE ${column} END`;
}

/**
 * The staging table. A TEMP table of the engine's connection: it may be written beside the lake in one transaction, and it spills
 * to the temp directory where it exceeds the memory limit.
 */
const CREATE =
  'CREATE OR REPLACE TEMP TABLE stage (cdc_seq BIGINT, cdc_xid BIGINT, cdc_ts TIMESTAMPTZ, cdc_op VARCHAR, table_id INTEGER, data JSON, context JSON)';

/** For what is applied without a batch. */
export async function stageNothing(sql: Sql): Promise<void> {
  await sql.run(CREATE);
}

/**
 * Empty the staging table, let `fill` insert the reader's rows, take the header off and check that all rows came.
 * Rejects with `stage_incomplete` when they did not; after any rejection the staging table is gone.
 */
export async function stageWith(sql: Sql, fill: () => Promise<void>): Promise<Staged> {
  try {
    await sql.run(CREATE);
    await fill();
    const headers = await sql.rows("SELECT data FROM temp.stage WHERE cdc_op = 'B'");
    const header = parseHeader(headers.length === 1 ? headers[0]?.data : undefined);
    await sql.run("DELETE FROM temp.stage WHERE cdc_op = 'B'");
    const [counted] = await sql.rows('SELECT count(*) AS n FROM temp.stage');
    const rows = Number(counted?.n);
    if (rows !== header.rows) throw incomplete(`${rows} rows arrived, the source counted ${header.rows}`);
    return { header, rows };
  } catch (error) {
    await sql.run('DROP TABLE IF EXISTS temp.stage').catch(() => undefined);
    throw error;
  }
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

function parseHeader(text: unknown): StageHeader {
  if (typeof text !== 'string') throw incomplete('its header is missing');
  const header = JSON.parse(text) as StageHeader;
  if (typeof header.rows !== 'number' || typeof header.tables !== 'object') throw incomplete('its header is malformed');
  return header;
}
