import type { Readable } from 'node:stream';
import type {
  Applied,
  Batch,
  Capture,
  Contents,
  Gap,
  LakeSource,
  Missed,
  PausedSpan,
  Retained,
  SourceIdentity,
  Staged,
} from '../model/batch.ts';
import type { SourceTable } from '../model/table.ts';

/** How a batch is read. The source offers it, a stager of the lake uses one of the two ways. */
export interface BatchReader {
  /** libpq connection string for readers that connect themselves. Holds the password: never log it. */
  readonly dsn: string;
  /**
   * One statement, hence one snapshot; no rows when another batch is open. Columns: cdc_seq int8, cdc_xid int8, cdc_ts timestamptz, cdc_op text,
   * table_id int4, data json, context json.
   */
  readonly query: string;
  /** The same statement as `COPY … TO STDOUT (FORMAT csv)`: NULL unquoted and empty, '' quoted. */
  copyCsv(): Promise<Readable>;
}

/**
 * PostgreSQL, as the drain needs it. Every method may reject with a database error (SQLSTATE in `code`) or a connection error;
 * each is one transaction, so a rejection leaves "done" or "not done", and the caller finds out which by `openBatch`.
 */
export interface Source {
  reader(batch: Batch): BatchReader;
  identity(): Promise<SourceIdentity>;
  /** Take the session advisory lock. False: another daemon leads. Idempotent while held. */
  lead(): Promise<boolean>;
  /** Reject unless leadership still stands (the session that holds the lock answers). */
  assertLeading(): Promise<void>;
  /** Whether the buffer holds a committed change, and whether the sentinel stands. Cheap: asked at every interval of an idle daemon. */
  look(): Promise<{ pending: boolean; sentinel: boolean }>;
  /** The batch that was swapped away and is not finished, if any. */
  openBatch(): Promise<Batch | undefined>;
  /** Swap cdc and cdc_old; rejects with SQLSTATE 55P03 when the lock is not had within `lock_timeout`. Undefined: the buffer was empty. */
  swap(): Promise<Batch | undefined>;
  /** Move the committed rows to cdc_old without any lock that a writer could wait for. */
  move(): Promise<Batch | undefined>;
  /** Make the open batch durable (a synchronous commit): only then may it be staged. */
  settle(batch: Batch): Promise<void>;
  /** What the open batch holds. */
  contents(): Promise<Contents>;
  /** In one transaction: lock the batch row, check that it is this one and open, empty cdc_old, mark it done. A batch already done: no-op. */
  finish(batch: Batch, rows: number): Promise<void>;
  /** What the catalogue says of tracked tables now; an id that nobody knows is left out. */
  tables(ids: readonly number[]): Promise<SourceTable[]>;
  /** Make what captures these tables anew where it does not fit them any more. Takes no lock on them. */
  refresh(ids: readonly number[]): Promise<void>;
  /** A version of each tracked table's entry in the catalogue, by id: another one after DDL. `cut`: when it was read, ISO 8601 in UTC. */
  catalogue(): Promise<{ versions: ReadonlyMap<number, string>; cut: string }>;
  /** The span in which changes may have been lost by the crash that took the sentinel; `epoch` is the one that ended. Undefined while it stands. */
  lostSpan(): Promise<{ epoch: string; from: string; to: string } | undefined>;
  /** What was finished after the batch of this ordinal, for another lake. */
  missed(lastOrdinal: number): Promise<Missed>;
  /** What the buffer takes on the disk. Cheap. */
  bufferBytes(): Promise<number>;
  /** Tables whose changes are logged, or not for the moment. `ended`: they are again, and the gap is to be named. */
  captures(): Promise<readonly Capture[]>;
  /** Log changes of these tables no more. Durable, and locks none of them. Idempotent. */
  pause(ids: readonly number[]): Promise<void>;
  /** Log them again. Idempotent. */
  resume(ids: readonly number[]): Promise<void>;
  /** Pauses that have ended, each until `forgetPause`; not yet those of which a statement may still be unlogged and not numbered. */
  pausedSpans(): Promise<readonly PausedSpan[]>;
  forgetPause(span: PausedSpan): Promise<void>;
  /** Put the sentinel back under a new epoch. No-op while it stands. */
  beginEpoch(): Promise<void>;
}

/** Makes a batch readable for the lake's engine, in place of the one before. Each implementation runs test/contract/stager.ts. */
export interface Stager {
  stage(reader: BatchReader, contents: Contents): Promise<Staged>;
}

/** The lake. Each implementation runs test/contract/lake.ts. */
export interface Lake {
  /** Attach it, making its tables if they are missing. A file-based lake is held by this process until `release`. Idempotent. */
  acquire(): Promise<void>;
  /** Let other processes open it (DuckDB file, DuckLake on a DuckDB file); a no-op for the others. */
  release(): Promise<void>;
  /** The ledger's row of this batch, if the lake holds it. */
  find(batchId: string): Promise<Applied | undefined>;
  /** Ids of tracked tables that `apply` needs to know more of: those with changes, and those that were renamed or dropped. */
  concerned(contents: Contents): Promise<number[]>;
  /** Those of these tables that the lake has. */
  known(ids: readonly number[]): Promise<number[]>;
  /**
   * Follow the columns of tables without a batch: one lake transaction, a ledger row of kind `schema` without changes, fenced as a batch is.
   * The source must hold no change from before `cut` that the lake lacks. Returns how many tables differed; 0: nothing was written.
   */
  follow(cut: string, tables: readonly SourceTable[], source: SourceIdentity): Promise<number>;
  /**
   * One lake transaction: log, typed log, state, ledger row, anchor; the tables' columns follow the source's. Rejects, leaving nothing, when the anchor moved since `acquire` or the last apply
   * (another writer). Rejects with code `lake_already_holds` if the ledger has the batch.
   */
  apply(batch: Batch, staged: Staged, tables: readonly SourceTable[], source: SourceIdentity): Promise<Applied>;
  /**
   * Name a span whose changes this lake lacks. Idempotent: one gap an epoch, but 'other_lake' one an end, 'source_restored' one a beginning,
   * 'paused' one a span. `tables`: ids; absent: all. `afterXid`: transactions below it may commit later what was not logged. Returns whether it was new.
   */
  recordGap(gap: Gap): Promise<boolean>;
  /**
   * Take away changes of batches whose cut is before `before` (ISO 8601), a slice of them in one transaction, fenced as a batch is. The state stays as it is;
   * history and as-of stay exact from the returned cut on. No batch may be open at the source that the ledger has. Undefined: there is nothing that old.
   */
  retain(before: string, slice?: { changes: number; batches: number }): Promise<Retained | undefined>;
  /** The source this lake was filled from last, undefined for a new lake. */
  source(): Promise<LakeSource | undefined>;
  close(): Promise<void>;
}
