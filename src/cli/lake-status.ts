import type { LakeConfig } from '../config/index.ts';
import { extensionsFor, loadExtensions, openForQuery, type Row, whileLocked } from '../lake/index.ts';
import type { SourceIdentity } from '../model/batch.ts';
import { SluiceError } from '../model/error.ts';
import { classify, type Fault } from '../model/fault.ts';
import type { LoadMode } from '../model/load.ts';
import { assertSameSource } from '../pipeline/index.ts';
import type { Io } from './context.ts';
import { lakeExists, placesFor, withEngine } from './lake.ts';
import { plural } from './output.ts';

/** What the lake's own tables say. */
export interface LakeStatus {
  readonly batches: number;
  readonly rows: number;
  /** Cut of the batch applied last, null in an empty lake. */
  readonly lastCut: string | null;
  /** From when on changes are kept (sluice.retained); null: all are. */
  readonly retainedSince: string | null;
  /** Rows of sluice.gap, oldest first, open and closed; `tables`: names, null for all. */
  readonly gaps: readonly Row[];
  /** Values that a lake type can't hold, counted by table and column as they were called then. */
  readonly losses: readonly Loss[];
  /** Rows of sluice.schema_change, the last first, at most CHANGES_SHOWN. */
  readonly schemaChanges: readonly Row[];
  /** Loads that are not done. */
  readonly loads: readonly { readonly id: string; readonly schema: string; readonly name: string; readonly mode: LoadMode }[];
  /** How far each table is, by its id in the source. */
  readonly tables: ReadonlyMap<number, TableWatermark>;
}

export interface Loss {
  readonly schema: string;
  readonly table: string;
  /** Null: the whole row, captured under names that the lake does not know. */
  readonly column: string | null;
  readonly values: number;
}

/** A table's row of sluice.watermark. */
export interface TableWatermark {
  readonly schema: string;
  readonly name: string;
  /** Rows of its current state; null: it has no key and so no state. */
  readonly rows: number | null;
  /** The number of the last batch with changes of it, and the sequence and time of the last of these; null: none yet. */
  readonly lastBatch: number | null;
  readonly lastSeq: number | string | null;
  readonly lastChange: string | null;
  /** Seconds that the lake's last batch took from its cut to the lake. */
  readonly lag: number | null;
}

const CHANGES_SHOWN = 20;

const WATERMARKS = `SELECT t.table_id, t.key IS NOT NULL AS keyed, w.table_schema, w.table_name, w."rows", w.last_batch,
    w.last_seq, w.last_change_ts, epoch(w.lag) AS lag
  FROM sluice.watermark AS w JOIN sluice."table" AS t ON t.lake_schema = w.table_schema AND t.lake_name = w.table_name AND NOT t.dropped`;
const LOSSES = `SELECT table_schema AS schema, table_name AS "table", column_name AS "column", count(*) AS "values" FROM sluice.loss GROUP BY ALL ORDER BY ALL`;
const LOADS = `SELECT l.load_id AS id, t.source_schema AS schema, t.source_name AS name, l.mode
  FROM sluice.load AS l JOIN sluice."table" AS t USING (table_id) WHERE l.done_ts IS NULL ORDER BY l.batch_id IS NULL, l.requested_ts, 2, 3`;
const CHANGES = `SELECT batch_id, table_schema, table_name, change, column_name, detail, noted_ts FROM sluice.schema_change
  ORDER BY batch_id DESC, noted_ts DESC LIMIT ${CHANGES_SHOWN}`;
const LEDGER = 'SELECT count(*) AS batches, coalesce(sum("rows"), 0)::BIGINT AS rows, max(cut_ts) AS last_cut FROM sluice.batch';
const RETAINED = 'SELECT max(cut_ts) AS since FROM sluice.retained';
// closed_ts: null while a gap is open; missing, different, extra: rows that its repair put, changed and took away. tables: null for all.
const GAPS = `SELECT gap_id, cause, from_ts, to_ts, noted_ts, closed_ts, missing, different, extra, epoch,
    (SELECT list(coalesce(t.source_schema || '.' || t.source_name, 'table ' || id) ORDER BY id)
      FROM (SELECT unnest(g.tables::INTEGER[]) AS id) LEFT JOIN sluice."table" AS t ON t.table_id = id) AS tables
  FROM sluice.gap AS g ORDER BY noted_ts, from_ts`;

const SOURCE = `SELECT system_identifier, timeline, "database", epoch FROM sluice.batch WHERE batch_id = (SELECT max(batch_id) FROM sluice.batch)`;

/** What the source says of itself, for the lake to be held against. */
export interface ExpectedLake {
  readonly identity: SourceIdentity;
  /** Batches that the source has finished. */
  readonly done: number;
}

/**
 * Read the lake's side of `status`; a lake that can't be read, or isn't the one of this source, is an answer too. One that isn't made yet is
 * empty, as long as the source has finished nothing.
 */
export async function readLakeStatus(
  config: LakeConfig,
  { identity, done }: ExpectedLake,
  io: Pick<Io, 'stderr'>,
): Promise<LakeStatus | Fault> {
  try {
    if (!(await lakeExists(config))) {
      if (done > 0) throw notThere('lake_missing', 'There is no lake at the configured place', done);
      return {
        batches: 0,
        rows: 0,
        lastCut: null,
        retainedSince: null,
        gaps: [],
        losses: [],
        schemaChanges: [],
        loads: [],
        tables: new Map(),
      };
    }
    return await withEngine(config, io, async (engine) => {
      await loadExtensions(engine, extensionsFor(config.lake, 'fifo'), placesFor(config));
      const lake = await whileLocked(() => openForQuery(engine, config.lake));
      const [known] = (await lake.query(SOURCE)).rows;
      if (known !== undefined) assertSameSource(toIdentity(known), identity);
      const [ledger] = (await lake.query(LEDGER)).rows;
      const gaps = (await lake.query(GAPS)).rows;
      // With a gap the daemon has already said what this lake lacks.
      if (known === undefined && gaps.length === 0 && done > 0) throw notThere('lake_empty', 'The lake is empty', done);
      return {
        batches: Number(ledger?.batches),
        rows: Number(ledger?.rows),
        lastCut: ledger?.last_cut?.toString() ?? null,
        retainedSince: (await lake.query(RETAINED)).rows[0]?.since?.toString() ?? null,
        gaps,
        losses: (await lake.query(LOSSES)).rows as unknown as Loss[],
        schemaChanges: (await lake.query(CHANGES)).rows,
        loads: (await lake.query(LOADS)).rows as unknown as LakeStatus['loads'],
        tables: new Map((await lake.query(WATERMARKS)).rows.map((row) => [Number(row.table_id), toWatermark(row)])),
      };
    });
  } catch (error) {
    return classify(error);
  }
}

function notThere(code: string, what: string, done: number): SluiceError {
  return new SluiceError(
    code,
    `${what}, but the source has finished ${plural(done, 'batch', 'batches')}.`,
    'Check lake in the configuration (paths are relative to the file), or restore the lake: sluice run would begin a new one, with a gap.',
  );
}

function toWatermark(row: Row): TableWatermark {
  return {
    schema: String(row.table_schema),
    name: String(row.table_name),
    rows: row.keyed === true ? Number(row.rows) : null,
    lastBatch: row.last_batch as number | null,
    lastSeq: row.last_seq as number | string | null,
    lastChange: row.last_change_ts?.toString() ?? null,
    lag: row.lag as number | null,
  };
}

function toIdentity(row: Row): SourceIdentity {
  const { system_identifier, timeline, database, epoch } = row;
  return { systemIdentifier: String(system_identifier), timeline: Number(timeline), database: String(database), epoch: String(epoch) };
}
