/** Where the source stood when a lake was held against it: what the lake compares with the next time. */
export interface SourceStand {
  /** The epoch that goes on from here. */
  readonly epoch: string;
  readonly timeline: number;
  /** Id of the newest batch that it had finished; null: none. */
  readonly batch: string | null;
}

/** A span whose changes a lake lacks, or holds though the source has lost them. Times are ISO 8601 in UTC. */
export interface Gap {
  /** The epoch in which it happened. */
  readonly epoch: string;
  readonly from: string;
  readonly to: string;
  readonly cause: string;
  /** Ids of the tracked tables it concerns; null, the default: all. */
  readonly tables?: readonly number[] | null;
  /**
   * Every transaction below this id may have written what nobody captured, and may yet commit: one that was prepared outlives a crash, its rows of
   * the buffer do not. Null, the default: there is none.
   */
  readonly afterXid?: bigint | null;
  /** Absent: noted without a comparison of source and lake. */
  readonly source?: SourceStand;
}

/** A gap that is not repaired. */
export interface OpenGap extends Required<Omit<Gap, 'source'>> {
  readonly gapId: string;
  /** The lake's number of its last batch, begun loads included, when the gap was noted last: only what begins later repairs it. */
  readonly afterBatch: number;
}

/** What a repair found, in rows: those that the lake lacked, had otherwise, or had though the source did not. */
export interface Repaired {
  readonly missing: number;
  readonly different: number;
  readonly extra: number;
}

/** What a pause of capture has cost. */
export interface PausedSpan extends Pick<Gap, 'epoch' | 'from' | 'to'> {
  readonly tables: readonly number[];
  readonly afterXid: bigint;
}
