import { parseSourceColumns, type SourceColumn } from '../model/source-type.ts';
import type { Evolve } from '../model/table.ts';
import type { Sql } from './connect.ts';
import { statement } from './sql.ts';
import type { TableName } from './tables.ts';

export interface TrackedColumn extends SourceColumn {
  /** `exclude` or the mask; null: captured as it is. */
  readonly rule: string | null;
}

/** A tracked table with what `track` has recorded of its columns. */
export interface TrackedColumns extends TableName {
  readonly id: number;
  readonly key: readonly string[] | null;
  /** In attnum order, excluded ones too. */
  readonly columns: readonly TrackedColumn[];
  /** The user's `types:` by column name. */
  readonly types: Readonly<Record<string, string>>;
  readonly evolve: Evolve;
  /** The user's choice; undefined: what suits the table. */
  readonly capture?: 'row' | 'statement' | undefined;
}

interface ColumnsRow extends TableName {
  id: number;
  key: string[] | null;
  columns: unknown;
  options: { types?: Record<string, string>; evolve?: Evolve; capture?: 'row' | 'statement' };
}

/** The columns of all tables that are tracked and still there, by schema and name. Needs schema audit. */
export async function readColumns(sql: Sql): Promise<TrackedColumns[]> {
  const rows = await sql.unsafe<ColumnsRow[]>(statement('columns'));
  return rows.map(({ columns, options, ...row }) => ({
    ...row,
    columns: parseSourceColumns(columns) as TrackedColumn[],
    types: options.types ?? {},
    evolve: options.evolve ?? 'follow',
    capture: options.capture,
  }));
}
