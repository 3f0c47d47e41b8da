/** What one swap (or one move) took out of the buffer. */
export interface Batch {
  /** Random uuid made by the source inside the swap. It identifies the batch in the ledger: ordinals can repeat after a restore. */
  readonly id: string;
  /** The source's running number; for people, never for identity. */
  readonly ordinal: number;
  /** The instant of the swap, ISO 8601 in UTC with microseconds: every transaction is wholly before or after it. */
  readonly cut: string;
  readonly kind: 'swap' | 'move';
}

/** What tells one source from another. A lake remembers it; a difference is never taken for "already have it". */
export interface SourceIdentity {
  readonly systemIdentifier: string;
  readonly timeline: number;
  readonly database: string;
  /** Uuid kept in a LOGGED table, made anew by each `install` and after each crash that emptied the buffer. */
  readonly epoch: string;
}

/** What a lake remembers of its source: who it was, and how far the lake is with it. */
export interface LakeSource extends SourceIdentity {
  /** Id of the source's batch up to which the lake accounts for everything, by holding it or by a gap; null: from none on. */
  readonly batch: string | null;
  /** When the lake was last known to be complete, ISO 8601 in UTC. */
  readonly lastCut: string;
  /** The highest cdc_seq of the log; null: none. */
  readonly lastSeq: string | null;
}

/** A batch that the source has finished. */
export interface FinishedBatch {
  readonly id: string;
  readonly ordinal: number;
  /** ISO 8601 in UTC. */
  readonly cut: string;
}

/** Where the source stands, for a lake to be held against. Times are ISO 8601 in UTC. */
export interface Standing {
  /** Whether it has the batch that was asked for, finished or open; true when none was. */
  readonly knows: boolean;
  /** The newest that it has finished. */
  readonly newest: FinishedBatch | null;
  readonly epochStart: string;
  /** False: a crash has emptied the buffer. */
  readonly sentinel: boolean;
  readonly now: string;
}

/** What the batch that is open holds, as the source counts it in one statement. */
export interface Contents {
  /** Id of the batch that is open at the source, null when none is. */
  readonly batch: string | null;
  /** Rows in `audit.cdc_old`. */
  readonly rows: number;
  /** What they take on the source's disk, compressed values as they are. */
  readonly bytes: number;
  /** What of it are values too wide for their rows (TOAST). */
  readonly toasted: number;
  /** False when the UNLOGGED sentinel is gone: the buffer was emptied by a crash or a failover. */
  readonly sentinel: boolean;
  /** Tracked tables by id: their schema and name at this instant, the last known ones for a table that is there or tracked no more. */
  readonly tables: Readonly<Record<string, readonly [schema: string, name: string, exists: boolean]>>;
  /** Of each table that has changes here, by id. */
  readonly changes: Readonly<Record<string, TableContents>>;
  /** The changes themselves where they are few, as sql/source/few.sql writes them: they need not be asked for. */
  readonly few?: string | null;
}

/** What a batch holds of one table. */
export interface TableContents {
  /** TRUNCATEs included. */
  readonly rows: number;
  readonly lastSeq: string;
  /** Whether changes carry who made them and why. */
  readonly context: boolean;
  /** In order. */
  readonly truncates: readonly Truncate[];
}

/** One TRUNCATE. */
export interface Truncate {
  readonly seq: string;
  /** The partition's condition; null: the whole table. */
  readonly bound: string | null;
  readonly partition: string | null;
}

/** A batch that the lake's engine can read. */
export interface Staged {
  readonly contents: Contents;
  /** FROM items of the engine with the columns of BatchReader.query, which together are the batch; several, one after the other, where it is wide. Each may be read once. */
  readonly from: readonly string[];
  /** What the user is told of an error that reading them has met. */
  failure(error: unknown): Error;
  /** Let go of what `from` needs. */
  close(): Promise<void>;
}

/** A row of the ledger: a batch that the lake holds. */
export interface Applied {
  readonly id: string;
  /** The lake's own running number, `batch_id` in `main.cdc`; it only grows, whatever the source does. */
  readonly batchId: number;
  readonly rows: number;
  readonly firstSeq: string | null;
  readonly lastSeq: string | null;
  /** Tables whose columns or key the lake followed with this batch: how they are captured may need to be made anew. */
  readonly changed: readonly number[];
  /** Nothing came that a load could be concerned with: no TRUNCATE, no change of a table. */
  readonly quiet: boolean;
}

/** What one transaction of retention has taken away. */
export interface Retained {
  /** The last batch whose changes are gone. */
  readonly batchId: number;
  /** From this time on, history and as-of are whole. */
  readonly cut: string;
  readonly changes: number;
  /** Whether there are more that are as old. */
  readonly more: boolean;
}

/** A tracked table, as far as the guard of the disk needs to know it. */
export interface Capture {
  readonly id: number;
  readonly schema: string;
  readonly name: string;
  /** ended: its changes are logged again, the gap is to be named. */
  readonly paused: 'no' | 'yes' | 'ended';
}
