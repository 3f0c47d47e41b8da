import type { SourceColumn } from './source-type.ts';

/** Columns that the lake adds to those of the source. */
export const OWN_COLUMNS = ['_op', '_seq', '_xid', '_ts', '_batch', '_context', 'valid_from', 'valid_to', 'is_current'] as const;
export type OwnColumn = (typeof OWN_COLUMNS)[number];

/** DuckLake refuses these while inlining is on, whatever their case. One rule for all lakes. `rowid` is no trouble (tried). */
const REFUSED: ReadonlySet<string> = new Set([
  'row_id',
  'begin_snapshot',
  'end_snapshot',
  '_ducklake_internal_row_id',
  '_ducklake_internal_snapshot_id',
]);

export interface LakeColumnNames {
  /** Name in the lake by attnum. */
  readonly source: ReadonlyMap<number, string>;
  /** Our own columns: as they are called unless the source has such a column. */
  readonly own: Readonly<Record<OwnColumn, string>>;
}

/**
 * Names of a table's columns in the lake: those of the source, except
 * - a name that DuckLake refuses gets the prefix `_sluice_` (`_sluice_row_id`);
 * - DuckDB's identifiers ignore the case of ASCII letters: of names that differ in nothing else the column with the least attnum keeps
 *   its own, later ones get the suffix `_2`, `_3` …, the first that no earlier column has;
 * - our own columns give way to the source's: `_op` becomes `_sluice_op`.
 * A column that is added later changes no name of an earlier source column.
 */
export function lakeColumnNames(columns: readonly Pick<SourceColumn, 'attnum' | 'name'>[]): LakeColumnNames {
  const taken = new Set<string>();
  const source = new Map<number, string>();
  for (const { attnum, name } of [...columns].sort((a, b) => a.attnum - b.attnum)) {
    const wanted = REFUSED.has(fold(name)) ? `_sluice_${name}` : name;
    let free = wanted;
    for (let count = 2; taken.has(fold(free)); count += 1) free = `${wanted}_${count}`;
    taken.add(fold(free));
    source.set(attnum, free);
  }
  const own = Object.fromEntries(
    OWN_COLUMNS.map((name) => {
      let free: string = name;
      while (taken.has(fold(free))) free = `_sluice${free.startsWith('_') ? '' : '_'}${free}`;
      return [name, free];
    }),
  ) as Record<OwnColumn, string>;
  return { source, own };
}

/** Schemas that the lake has itself, and names that its own statements, as `USE memory`, take for a database. */
const RESERVED_SCHEMAS: ReadonlySet<string> = new Set([
  ...['main', 'sluice', 'information_schema', 'pg_catalog'],
  ...['temp', 'system', 'memory', 'lake', 'lake_now'],
]);

/** Whether no table can have this schema in the lake: the lake needs it itself, or it ends as those of typed logs and histories. */
export function isReservedSchema(schema: string): boolean {
  return RESERVED_SCHEMAS.has(fold(schema)) || /_(changes|history)$/i.test(schema);
}

/** DuckDB compares identifiers byte by byte but for the case of ASCII letters. */
export function fold(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
