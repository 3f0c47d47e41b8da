import { SluiceError } from './error.ts';

/** What the source's catalogue says of a type, with domains resolved to what is below them (`sql/audit.column_types.sql`). */
export interface SourceType {
  /** Schema of the type, `pg_catalog` for built-in ones. */
  readonly schema: string;
  /** pg_type.typname, e.g. `int4`, `bpchar`; for an array the array type's, e.g. `_int4`. */
  readonly name: string;
  /** pg_type.typtype: base (arrays too), enum, composite, range, multirange, pseudo. */
  readonly kind: 'b' | 'e' | 'c' | 'r' | 'm' | 'p';
  /** As format_type writes it with the column's modifier, e.g. `numeric(12,2)`. Through a domain: the domain's modifier. */
  readonly text: string;
  /** The domain that the column was declared with, if any; for messages. */
  readonly domain?: string;
  /** Not built in, and with a cast to json: captured as what that cast makes of it (hstore, PostGIS). */
  readonly json?: boolean;
  /** Arrays: the type of the elements. */
  readonly element?: SourceType;
  /** Arrays: dimensions as declared. PostgreSQL does not enforce them. */
  readonly dimensions?: number;
}

export interface SourceColumn {
  readonly attnum: number;
  readonly name: string;
  readonly type: SourceType;
}

/**
 * The columns of a table as `audit.column_types(regclass)` gives them, in attnum order.
 * @param json its jsonb result, as text or parsed already by the driver
 * @throws SluiceError source_mismatch when it is something else
 */
export function parseSourceColumns(json: unknown): SourceColumn[] {
  const value: unknown = typeof json === 'string' ? JSON.parse(json) : json;
  if (!Array.isArray(value) || !value.every(isColumn)) {
    throw new SluiceError('source_mismatch', 'audit.column_types gave something that is no list of columns', 'Run: sluice install');
  }
  return value;
}

function isColumn(value: unknown): value is SourceColumn {
  const column = value as Partial<SourceColumn> | null;
  return typeof column?.attnum === 'number' && typeof column.name === 'string' && isType(column.type);
}

function isType(value: unknown): value is SourceType {
  const type = value as Partial<SourceType> | null | undefined;
  if (typeof type?.schema !== 'string' || typeof type.name !== 'string' || typeof type.text !== 'string') return false;
  return /^[becrmp]$/.test(type.kind ?? '') && (type.element === undefined || isType(type.element));
}
