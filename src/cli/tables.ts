import { type Config, compilePatterns, compileRenames, distance, patternFor, type TableMatcher } from '../config/index.ts';
import { SluiceError } from '../model/error.ts';
import { collisions, wantedName } from '../model/lake-place.ts';
import { listRefused, type RefusedTable, type SourceTable, type Sql, type TableName, type TrackOptions } from '../source/index.ts';

/** schema.table as PostgreSQL and our patterns write it: with double quotes where a name needs them. */
export function tableLabel({ schema, name }: TableName): string {
  return patternFor(schema, name);
}

/** What the configuration says of one table; undefined: nothing, so it keeps what it was tracked with. */
export function tableOptions({ tableOptions: all }: Config): (table: TableName) => TrackOptions | undefined {
  const matchers = all.map(({ table, ...options }) => ({ matches: compilePatterns([table]), options }));
  return (table) => matchers.findLast(({ matches }) => matches(table))?.options;
}

/** Pairs of tables that `rename` gives one name in the lake, with that name as its patterns write it. */
export function collidingTables<T extends TableName>({ renames }: Config, tables: readonly T[]): { pair: [T, T]; label: string }[] {
  const rename = compileRenames(renames);
  return collisions(tables.map((table) => ({ ...table, rename: rename(table) }))).map((pair) => ({
    pair,
    label: tableLabel(wantedName(pair[0])),
  }));
}

export interface Selection {
  /** To be tracked now: new ones, and those in `mend`. */
  readonly fresh: readonly SourceTable[];
  readonly already: readonly SourceTable[];
  /** Matched, but can't be tracked; `refusal` says why. */
  readonly refused: readonly SourceTable[];
}

/**
 * Sort out what `track` has to do. A refused table that a wildcard happened to catch is only reported.
 * Throws SluiceError `no_tables` when nothing matches, `table_refused` when all that matches is refused.
 */
export function selectTables(tables: readonly SourceTable[], patterns: readonly string[], mend: readonly TableName[]): Selection {
  const matches = compilePatterns(patterns);
  const matched = tables.filter((table) => matches(table));
  if (matched.length === 0) throw noTables(patterns);
  const again = (table: TableName) => mend.some(({ schema, name }) => schema === table.schema && name === table.name);
  const already = matched.filter((table) => table.tracked && !again(table));
  const refused = matched.filter((table) => !table.tracked && table.refusal !== null);
  const fresh = matched.filter((table) => (table.tracked ? again(table) : table.refusal === null));
  if (fresh.length === 0 && already.length === 0) {
    const reasons = refused.map((table) => `${tableLabel(table)}: ${table.refusal}`).join('; ');
    throw new SluiceError(
      'table_refused',
      `Nothing that matches can be tracked: ${reasons}.`,
      'Change the table as said, or choose another.',
    );
  }
  return { fresh, already, refused };
}

/** @throws SluiceError rename_collision where a table of the selection would have the name of another in the lake */
export function assertNamesApart(config: Config, tables: readonly SourceTable[], { fresh, already }: Selection): void {
  const ids = new Set([...fresh, ...already].map(tableLabel));
  const [found] = collidingTables(
    config,
    tables.filter((table) => table.tracked || ids.has(tableLabel(table))),
  ).filter(({ pair }) => pair.some((table) => ids.has(tableLabel(table))));
  if (found === undefined) return;
  const [one, other] = found.pair.map(tableLabel);
  throw new SluiceError(
    'rename_collision',
    `By the rename of sluice.yaml ${one} and ${other} would both be ${found.label} in the lake.`,
    'Let rename tell them apart, by $1 and so on. Tables are never merged: unite them where you query them.',
  );
}

/** What matches, but can't be tracked; with the reason. */
export async function findUntrackable(sql: Sql, matches: TableMatcher): Promise<RefusedTable[]> {
  return (await listRefused(sql)).filter(matches);
}

/** At most so many reasons stand in one message. */
const REASONS = 5;

export function noTables(patterns: readonly string[], untrackable: readonly RefusedTable[] = []): SluiceError {
  const message = `No table matches ${patterns.join(', ')}`;
  if (untrackable.length === 0) {
    const remedy = 'Names compare with case, * and ? are wildcards: "public.*" takes a whole schema. \\dt *.* in psql lists what there is.';
    return new SluiceError('no_tables', `${message}.`, remedy);
  }
  const reasons = untrackable.slice(0, REASONS).map((relation) => `${tableLabel(relation)}: ${relation.refusal}`);
  const more = untrackable.length > REASONS ? [`and ${untrackable.length - REASONS} more`] : [];
  return new SluiceError(
    'no_tables',
    `${message} that can be tracked. ${[...reasons, ...more].join('; ')}.`,
    'Track the root of a partition, or the tables that a view reads.',
  );
}

export function noTracked(patterns: readonly string[]): SluiceError {
  return new SluiceError(
    'no_tables',
    `No tracked table matches ${patterns.join(', ')}.`,
    'Names compare with case; sluice status lists the tracked tables.',
  );
}

/**
 * A pattern that includes must match a table.
 * @throws SluiceError unknown_table with this message; the remedy names tables whose names come near, if any do
 */
export function assertMeant(pattern: string, tables: readonly TableName[], { message, remedy }: { message: string; remedy: string }): void {
  if (pattern.startsWith('!') || tables.some(compilePatterns([pattern]))) return;
  const near = tables
    .map((table) => ({
      label: tableLabel(table),
      edits: Math.min(distance(pattern, tableLabel(table)), distance(pattern.replace(/^.*\./s, ''), table.name)),
    }))
    .filter(({ edits }) => edits <= Math.max(2, pattern.length / 3))
    .sort((a, b) => a.edits - b.edits)
    .slice(0, 3)
    .map(({ label }) => label);
  throw new SluiceError('unknown_table', message, near.length > 0 ? `Did you mean ${near.join(' or ')}?` : remedy);
}
