import { dirname } from 'node:path';
import { literal } from './sql.ts';

/** One DuckDB file. */
export interface DuckDbLake {
  readonly type: 'duckdb';
  /** Absolute path. */
  readonly path: string;
}

export interface DuckLakeLake {
  readonly type: 'ducklake';
  /** `postgres://…`, `sqlite:<absolute path>` or `duckdb:<absolute path>`. May hold a password. */
  readonly catalog: string;
  /** Absolute folder or `s3://…`. */
  readonly data: string;
  /** Schema of DuckLake's own tables, for a PostgreSQL catalog that shares its database. */
  readonly metadataSchema?: string | undefined;
  /** Inserts of at most this many rows stay in the catalog instead of a Parquet file; default 10, 0: never. */
  readonly inlineRows?: number | undefined;
}

export type LakeConfig = DuckDbLake | DuckLakeLake;

/**
 * Measured per commit of a 1,000-change batch on a PostgreSQL catalog: limit 0: 33 ms, 10: 17 ms, 1000: 136 ms (inlined rows are
 * inserted into the catalog at the commit).
 */
const INLINE_ROWS = 10;

/**
 * The setting of how many rows of an INSERT stay in the catalog. No option of the ATTACH, for it differs between batches; what the lake's owner has set for
 * the lake or a table goes before it.
 */
export function inliningStatement({ inlineRows = INLINE_ROWS }: Pick<DuckLakeLake, 'inlineRows'>): string {
  return `SET ducklake_default_data_inlining_row_limit = ${inlineRows}`;
}

/** Whether the lake is a file that one process at a time can hold, so that it must be let go between batches. */
export function isExclusive(lake: LakeConfig): boolean {
  return lake.type === 'duckdb' || lake.catalog.startsWith('duckdb:');
}

/** Folders that must exist before the lake can be made. */
export function foldersOf(lake: LakeConfig): string[] {
  if (lake.type === 'duckdb') return [dirname(lake.path)];
  const folders = /^[a-z0-9]+:\/\//i.test(lake.data) ? [] : [lake.data];
  const file = /^(?:sqlite|duckdb):(.+)$/s.exec(lake.catalog)?.[1];
  return file === undefined ? folders : [...folders, dirname(file)];
}

/**
 * The ATTACH of a lake, under the name `lake` unless told otherwise. Read-only never makes one. AUTOMATIC_MIGRATION is left off for good: a newer
 * format is the user's decision, for older readers can't go back.
 */
export function attachStatement(lake: LakeConfig, mode: 'write' | 'read', name = 'lake'): string {
  const options = mode === 'read' ? ['READ_ONLY'] : [];
  if (lake.type === 'duckdb') return attach(lake.path, name, options);
  options.push(`DATA_PATH ${literal(lake.data)}`);
  if (lake.metadataSchema !== undefined) options.push(`METADATA_SCHEMA ${literal(lake.metadataSchema)}`);
  if (lake.catalog.startsWith('duckdb:')) return attach(`ducklake:${lake.catalog.slice('duckdb:'.length)}`, name, options);
  if (lake.catalog.startsWith('sqlite:')) return attach(`ducklake:${lake.catalog}`, name, options);
  return attach(`ducklake:postgres:${lake.catalog}`, name, options);
}

function attach(target: string, name: string, options: readonly string[]): string {
  return `ATTACH ${literal(target)} AS ${name}${options.length > 0 ? ` (${options.join(', ')})` : ''}`;
}
