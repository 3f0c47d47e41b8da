import type { OwnColumn } from './lake-names.ts';
import type { SourceColumn, SourceType } from './source-type.ts';

/** A tracked table as the source's catalogue describes it when a batch is read; for one that was dropped, as far as it is still known. */
export interface SourceTable {
  /** Its id in audit.tracked_table, which the changes carry. */
  readonly id: number;
  readonly schema: string;
  readonly name: string;
  /** Oid as text; null once it was dropped or untracked. */
  readonly relid: string | null;
  /** In attnum order; empty when it was dropped. */
  readonly columns: readonly SourceColumn[];
  /** Attnums of the key; null: logged only, without a state. */
  readonly key: readonly number[] | null;
  /** By attnum: what rows from before an `ADD COLUMN … DEFAULT` have in that column, as JSON. */
  readonly filled: Readonly<Record<string, unknown>>;
  /** Leaf partitions by oid. `bound`: their condition in SQL; `loaded`: attached with rows, which the log lacks. */
  readonly partitions: Readonly<Record<string, Partition & { readonly loaded: boolean }>>;
  /** The user's `types:` by column name. */
  readonly types: Readonly<Record<string, string>>;
  readonly evolve: Evolve;
  /** What the user's `rename:` calls it in the lake; absent: as in the source. */
  readonly rename?: Name | undefined;
  /** Its rows are loaded before its state is shown. Absent: its changes are all there is of it. */
  readonly loads?: boolean;
}

export interface Name {
  readonly schema: string;
  readonly name: string;
}

/** What to do when a table's columns change. freeze: keep the lake's columns; stop: end the daemon with an error. */
export type Evolve = 'follow' | 'freeze' | 'stop';

export interface Partition {
  readonly name: string;
  readonly bound: string;
}

export interface LakeColumn {
  readonly attnum: number;
  /** Name in the lake. */
  readonly name: string;
  /** Name in the source, and so the key in the captured JSON. */
  readonly source: string;
  readonly type: SourceType;
  /** DuckDB's type. */
  readonly lakeType: string;
  /** The user's choice for `types:`, if any. */
  readonly override?: string;
}

/** A tracked table as the lake holds it: a row of `sluice.table`. */
export interface LakeTable {
  readonly id: number;
  readonly relid: string | null;
  readonly source: Name;
  /** State is `<schema>.<name>`, the typed log `<schema>_changes.<name>`, history `<schema>_history.<name>`. */
  readonly lake: Name;
  /** What it was to be called in the lake when it got its name there, which is another one where this was reserved or taken. */
  readonly wanted: Name;
  readonly columns: readonly LakeColumn[];
  /** Columns of the typed log that the source has no more, with their types. */
  readonly left: readonly { readonly name: string; readonly lakeType: string }[];
  readonly key: readonly number[] | null;
  /** Names of our columns in the typed log and in the history. */
  readonly own: Readonly<Record<OwnColumn, string>>;
  /** Its leaf partitions by oid, for the rows that one takes along when it goes. */
  readonly partitions: Readonly<Record<string, Partition>>;
  /**
   * The columns as they were until a batch: its catalogue was read after its swap, so the next batch may bring changes from before that,
   * under the names of then. No later one can: DDL waits for everyone who has changed the table.
   */
  readonly before?: { readonly batch: number; readonly columns: readonly LakeColumn[] };
  /** True once the source has it no more: the typed log and the history stay. */
  readonly dropped: boolean;
  /** Its state is not shown before a load is complete. */
  readonly held?: Held | undefined;
}

/** A state that is not complete yet lies beside its place. */
export interface Held {
  /** The batch with which it began empty. */
  readonly since: number;
  /** The state of before is shown meanwhile, as it was then. */
  readonly shown: boolean;
}
