import type { Sql } from './connect.ts';
import { LEADERSHIP } from './leadership.ts';
import { statement } from './sql.ts';

/** What keeps a tracked table's changes from the log; null: nothing. See sql/audit.status.view.sql. */
export type TableProblem = 'dropped' | 'partition' | 'refused' | 'bypassed' | 'disabled' | 'paused' | 'unproved' | 'drifted';

export interface TableStatus {
  readonly schema: string;
  readonly name: string;
  readonly id: number;
  readonly capture: 'statement' | 'row';
  readonly key: readonly string[] | null;
  readonly problem: TableProblem | null;
  /** Who changes and why is logged. */
  readonly context: boolean;
  /** Captured right, but the slow way until audit.refresh or track: its columns or its key changed. */
  readonly stale: boolean;
  /** Triggers, reasons, SQLSTATEs or parts of the fingerprint that the problem is about. */
  readonly details: readonly string[];
}

export interface SourceStatus {
  readonly tables: readonly TableStatus[];
  readonly bufferBytes: number;
  /** ISO 8601; null: nothing waits. */
  readonly waitingSince: string | null;
  readonly openBatch: { id: string; ordinal: number; kind: 'swap' | 'move'; cut_at: string; settled: boolean } | null;
  readonly lastBatch: { id: string; ordinal: number; kind: 'swap' | 'move'; cut_at: string; done_at: string; rows: number } | null;
  readonly batchesDone: number;
  /** False: a crash has emptied the buffer and no daemon has noticed yet. */
  readonly sentinel: boolean;
  /** Whether a daemon holds the leadership. */
  readonly led: boolean;
}

interface StatusRow {
  buffer_bytes: number;
  waiting_since: Date | null;
  open_batch: SourceStatus['openBatch'];
  last_batch: SourceStatus['lastBatch'];
  batches_done: number;
  sentinel: boolean;
  led: boolean;
}

/** The source's side of `sluice status`. Needs schema audit (see assertInstalled). */
export async function readStatus(sql: Sql): Promise<SourceStatus> {
  const [row] = await sql.unsafe<StatusRow[]>(statement('status'), [LEADERSHIP.toString()]);
  if (!row) throw new Error('the status query returns one row');
  return {
    tables: await readTables(sql),
    bufferBytes: row.buffer_bytes,
    waitingSince: row.waiting_since?.toISOString() ?? null,
    openBatch: row.open_batch,
    lastBatch: row.last_batch,
    batchesDone: row.batches_done,
    sentinel: row.sentinel,
    led: row.led,
  };
}

/** The tracked tables and what is wrong with them. */
export async function readTables(sql: Sql): Promise<TableStatus[]> {
  const rows = await sql<TableStatus[]>`
    SELECT schema_name AS schema, table_name AS name, table_id AS id, capture, key, problem, context, stale,
      coalesce(CASE problem WHEN 'bypassed' THEN missing WHEN 'disabled' THEN disabled WHEN 'drifted' THEN drift WHEN 'refused' THEN ARRAY[refusal]
        WHEN 'unproved' THEN faults
        WHEN 'paused' THEN ARRAY['since ' || date_trunc('second', paused_at)] END, '{}') AS details
    FROM audit.status ORDER BY 1, 2`;
  return rows.map((row) => ({ ...row }));
}
