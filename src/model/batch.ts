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

/** What a lake remembers of its source: who it was, and the last of its batches that the lake holds. */
export interface LakeSource extends SourceIdentity {
  readonly lastOrdinal: number;
  /** ISO 8601 in UTC. */
  readonly lastCut: string;
}

/** What the source has finished that a lake may not hold. Times are ISO 8601 in UTC. */
export interface Missed {
  /** Batches finished after the lake's last one. */
  readonly missed: number;
  /** The cut of the last of them; null for none. */
  readonly lastMissedCut: string | null;
  readonly epochStart: string;
  /** The cut of the source's last batch; null for none. */
  readonly lastCut: string | null;
  /** Its ordinal; 0 for none. */
  readonly lastOrdinal: number;
  readonly now: string;
}

/** The first row that the staging query returns, as JSON in `data`: read in the same snapshot as the changes behind it. */
export interface StageHeader {
  /** Id of the batch that is open at the source, null when none is. */
  readonly batch: string | null;
  /** Rows in `audit.cdc_old` as this snapshot sees them. */
  readonly rows: number;
  /** False when the UNLOGGED sentinel is gone: the buffer was emptied by a crash or a failover. */
  readonly sentinel: boolean;
  /** Tracked tables by id: their schema and name at this instant, the last known ones for a table that is there or tracked no more. */
  readonly tables: Readonly<Record<string, readonly [schema: string, name: string, exists: boolean]>>;
}

/** A batch that lies in the lake engine's staging table. */
export interface Staged {
  readonly header: StageHeader;
  /** Rows that really arrived, header excluded. Equal to `header.rows`, or the stage has thrown. */
  readonly rows: number;
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
}
