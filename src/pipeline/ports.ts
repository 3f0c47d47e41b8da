import type { Readable } from 'node:stream';
import type {
  Applied,
  Batch,
  Capture,
  Contents,
  FinishedBatch,
  LakeSource,
  Retained,
  SourceIdentity,
  Staged,
  Standing,
} from '../model/batch.ts';
import type { Gap, OpenGap, PausedSpan, Repaired } from '../model/gap.ts';
import type { Chunk, Leaf, Loaded, LoadMode, OpenLoad, Places, PlannedLeaf, Reading } from '../model/load.ts';
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
  /** The same rows by several such statements, each of which brings about 8 MB or one row; by one where that is all. Absent: there are no wide rows. */
  slices?(): Promise<readonly string[]>;
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
  /** Where the source stands. Cheap: asked at every interval of an idle daemon. */
  look(): Promise<Look>;
  /** The batch that was swapped away and is not finished, if any. */
  openBatch(): Promise<Batch | undefined>;
  /** Swap cdc and cdc_old; rejects with SQLSTATE 55P03 when the lock is not had within `lock_timeout`. Undefined: the buffer was empty. */
  swap(): Promise<Batch | undefined>;
  /** Move the committed rows to cdc_old without any lock that a writer could wait for. */
  move(): Promise<Batch | undefined>;
  /** Make the open batch durable (a synchronous commit): only then may it be staged. */
  settle(batch: Batch): Promise<void>;
  /** What the open batch holds; its changes themselves (`few`) only if it is this one. */
  contents(batch: Batch): Promise<Contents>;
  /** In one transaction: lock the batch row, check that it is this one and open, empty cdc_old, mark it done. A batch already done: no-op. */
  finish(batch: Batch, rows: number): Promise<void>;
  /** What the catalogue says of tracked tables now; an id that nobody knows is left out. */
  tables(ids: readonly number[]): Promise<SourceTable[]>;
  /** Make what captures these tables anew where it does not fit them any more. Takes no lock on them. */
  refresh(ids: readonly number[]): Promise<void>;
  /** A version of each tracked table's entry in the catalogue, by id: another one after DDL. `cut`: when it was read, ISO 8601 in UTC. */
  catalogue(): Promise<{ versions: ReadonlyMap<number, string>; cut: string }>;
  /** Ask for a load of those of these tables whose triggers were off and are right again (`load`), and name those whose triggers are not (`off`). */
  checkTriggers(ids: readonly number[]): Promise<{ id: number; schema: string; name: string; state: 'off' | 'load' }[]>;
  /** The span in which changes may have been lost by the crash that took the sentinel; `epoch` is the one that ended. Undefined while it stands. */
  lostSpan(): Promise<{ epoch: string; from: string; to: string } | undefined>;
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
  /** Where it stands; `batch`: the id of one that it may or may not know. */
  standing(batch: string | null): Promise<Standing>;
  /** Batches that it has finished, below this ordinal where one is given, newest first; at most 1,000. */
  finished(below?: number): Promise<FinishedBatch[]>;
  /** Put the sentinel back under this epoch, a random uuid. No-op while it stands. */
  beginEpoch(next: string): Promise<void>;
  /** Assigns a transaction id: every transaction that is running now and has written has a lower one. Numbers step back with a restore or a failover. */
  currentXid(): Promise<bigint>;
  /** Every transaction below this id has ended, prepared ones and those of other databases too. */
  oldestXid(): Promise<bigint>;
  /** Let captured changes go on with numbers above `seq`. Waits for no writer. Returns whether they were behind. */
  advance(seq: string): Promise<boolean>;
  /** Where the rows of tracked tables lie now, by id; none of one that is gone. */
  leaves(tableIds: readonly number[]): Promise<ReadonlyMap<number, readonly Leaf[]>>;
  /** Rows of a tracked table: where `placed` a column with the ctid, then each of `columns` as it arrives. */
  rows(tableId: number, reading: Reading, of: Chunk | Places): Promise<BatchReader>;
  /** Cancel our own reads of tables that somebody waits for, and those that wait for somebody. Returns how many. */
  giveWay(): Promise<number>;
  /** Its clock, ISO 8601 in UTC with microseconds. */
  now(): Promise<string>;
  /** Loads that were asked for, or are at work, and that nobody has reported to be done. */
  requestedLoads(): Promise<LoadRequest[]>;
  /** Ask for a verification of the table that waits longest for one, if its last one (else its first tracking) is as long ago, and none is under way. */
  requestDueVerify(intervalMs: number): Promise<void>;
  /** Say how far loads are, by their ids. */
  reportLoads(progress: ReadonlyMap<string, LoadProgress>): Promise<void>;
}

export interface Look {
  /** Whether the buffer holds a committed change. */
  readonly pending: boolean;
  /** False: a crash has emptied the buffer. */
  readonly sentinel: boolean;
  /** Whether somebody has asked for a load. */
  readonly requested: boolean;
  /** The batch that was taken away and is not finished, if any. */
  readonly open: Batch | undefined;
}

/** A row of audit.load. */
export interface LoadProgress {
  readonly table_id: number;
  readonly mode: LoadMode;
  readonly began_at?: string;
  readonly rows_expected?: number;
  readonly rows_read?: number;
  readonly done_at?: string;
  readonly result?: Loaded;
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
   * Note a gap, fenced as a batch is. Idempotent: one of the same epoch, cause, tables and beginning that is open is extended. Returns whether it is new.
   */
  recordGap(gap: Gap): Promise<boolean>;
  /** Open gaps, oldest first. */
  gaps(): Promise<OpenGap[]>;
  /** Note what the repair of a gap has found, fenced as a batch is. Returns false, changing nothing, when it is closed already. */
  closeGap(gapId: string, repaired: Repaired): Promise<boolean>;
  /** Transactions are numbered from `xid` on again, which all that run now are below: no open gap waits for a higher one. Fenced as a batch is. */
  capGaps(xid: bigint): Promise<void>;
  /** Those of these batches that the lake holds, or after which it has noted a gap. */
  accounted(ids: readonly string[]): Promise<string[]>;
  /**
   * Take away changes of batches whose cut is before `before` (ISO 8601), a slice of them in one transaction, fenced as a batch is. The state stays as it is;
   * history and as-of stay exact from the returned cut on. No batch may be open at the source that the ledger has. Undefined: there is nothing that old.
   */
  retain(before: string, slice?: { changes: number; batches: number }): Promise<Retained | undefined>;
  /** The source this lake was filled from last, undefined for a new lake. */
  source(): Promise<LakeSource | undefined>;
  readonly loads: Loads;
  close(): Promise<void>;
}
/**
 * Loads of tables: rows that are read from the source itself (docs/loads.md). Between them batches are applied. One load at a time, but for first loads
 * (`fill`), of which several may share their transactions.
 */
export interface Loads {
  /** Those that are not done, the one at work first. `fresh`: a process beside this one may have asked for some. */
  open(options: { readonly fresh: boolean }): Promise<readonly OpenLoad[]>;
  /**
   * Ask for loads. Idempotent by id. One for a gap is not asked for twice while it waits; one that people want (without a gap) is done under its own id,
   * be it as the table's first load if that still waits.
   */
  request(loads: readonly LoadRequest[]): Promise<void>;
  /** Those of these loads that the lake knows. */
  find(ids: readonly string[]): Promise<ReadonlyMap<string, { readonly done: boolean; readonly result?: Loaded }>>;
  /** Begin, or begin anew what was disturbed, in one lake transaction. Several: first loads. `horizon`: see OpenLoad. */
  begin(loads: readonly PlannedLoad[], horizon: string): Promise<void>;
  /** So many reads are going to run at the same time; 0: all have ended, and their sessions at the source end as well. Call it while none does. */
  readers(many: number): Promise<void>;
  /**
   * Read rows, beside batches that are applied meanwhile.
   * @param how frozen: the source may have other columns than the lake; pages: about as many of the source
   * @param readerOf the rows as they are wanted; it may be asked twice
   */
  read(
    load: OpenLoad,
    how: { readonly frozen: boolean; readonly pages: number },
    readerOf: (reading: Reading) => Promise<BatchReader>,
  ): Promise<ReadRows>;
  /** Chunks that were read into the lake, in one transaction. Rejects with `load_disturbed` where the load has to begin anew. */
  apply(load: OpenLoad, chunks: readonly ReadChunk[]): Promise<void>;
  /** Hold what was read against the state that is shown, when all chunks are in. Returns where rows lie that are to be read once more. Rejects with `load_large` where these are too many. */
  compare(load: OpenLoad): Promise<Places[]>;
  /**
   * One lake transaction; several: first loads. The lake must have all that was committed before `cut`, which must be after the last read.
   * Returns what each has found, in their order.
   */
  complete(loads: readonly ReadLoad[], cut: string, source: SourceIdentity): Promise<Loaded[]>;
  /** The table is gone, or there is nothing to do for it. */
  drop(load: OpenLoad): Promise<void>;
  /** Ids of the tables that the lake has and the source has not dropped. */
  tables(): Promise<number[]>;
  /** Loads that were asked for to repair a gap. */
  ofGap(gapId: string): Promise<GapLoad[]>;
}

export interface GapLoad extends Pick<Loaded, 'missing' | 'different' | 'extra'> {
  readonly tableId: number;
  /** Null: not begun; or, if done, the table was gone. */
  readonly batchId: number | null;
  readonly horizon: string | null;
  readonly done: boolean;
}

export interface LoadRequest {
  readonly id: string;
  readonly tableId: number;
  readonly mode: LoadMode;
  /** See OpenLoad. */
  readonly sample: number | null;
  readonly gapId: string | null;
}

export interface ReadChunk {
  readonly chunk: Chunk;
  readonly rows: ReadRows;
}

export interface PlannedLoad {
  readonly load: OpenLoad;
  readonly plan: readonly PlannedLeaf[];
}

/** A load of which all was read. */
export interface ReadLoad {
  readonly load: OpenLoad;
  /** Rows that `compare` asked for. */
  readonly again: readonly ReadRows[];
  /** Those that are missing, of a load that brings all rows. */
  readonly chunks: readonly ReadChunk[];
}

/** Rows that were read and are not in the lake yet. */
export interface ReadRows {
  readonly rows: number;
  /** In the engine's memory; else in a file. */
  readonly inMemory: boolean;
  /** Let go of them. */
  forget(): Promise<void>;
}
