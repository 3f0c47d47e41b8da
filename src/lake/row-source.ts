import type { BatchReader } from '../pipeline/ports.ts';
import type { Sql } from './engine.ts';

/** Reads rows of the source into the engine, for loads. One for each stager. */
export interface RowSource {
  /** Whether values arrive in their types; else all are texts. */
  readonly native: boolean;
  /**
   * Run a statement that reads the reader's rows.
   * @param columns names of the reader's columns, for a way that does not learn them
   * @param statement the statement, given the rows as a FROM item; it may be run again after a failure, and must leave nothing then
   */
  read(sql: Sql, reader: BatchReader, columns: readonly string[], statement: (from: string) => string): Promise<void>;
  /** Let go of the sessions that are kept for the next read. None may be under way. */
  release(sql: Sql): Promise<void>;
}
