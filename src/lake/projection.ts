import type { LakeColumnNames } from '../model/lake-names.ts';
import type { SourceColumn } from '../model/source-type.ts';
import type { TypeMapping } from '../model/types.ts';

export interface ProjectedColumn {
  readonly attnum: number;
  /** Key in the captured JSON. */
  readonly key: string;
  /** Name in the lake. */
  readonly name: string;
  readonly mapping: TypeMapping;
}

/** From staged rows to typed columns. `from` is what stands behind FROM: any relation with the columns of temp.stage. */
export interface Projection {
  readonly columns: readonly ProjectedColumn[];
  readonly own: LakeColumnNames['own'];
  /**
   * SELECT of own._op, _seq, _xid, _ts, then the source's columns, all typed. Raises where a value does not fit (DuckDB's message holds
   * the value: never log it), or where a row lacks a key; nothing was lost if it did not raise. An error ends the transaction it is run
   * in: run it into a temp table before BEGIN.
   */
  strict(from: string): string;
  /** The same columns and never an error: what does not fit is NULL. */
  thorough(from: string): string;
  /** What `thorough` makes NULL though the source has a value: SELECT of cdc_seq, column_name (the lake's), reason. Never the value. */
  losses(from: string): string;
}

/**
 * @param overrides the user's `types:` by the source's column name
 * @throws SluiceError config_invalid for an override that a type does not take, or of a column that is not there
 */
export declare function projectTable(columns: readonly SourceColumn[], overrides?: Readonly<Record<string, string>>): Projection;
