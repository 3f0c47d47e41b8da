import type { Evolution, SchemaChange } from '../model/evolution.ts';
import type { LakeColumn, LakeTable } from '../model/table.ts';
import { mapType } from '../model/types.ts';
import type { Sql } from './engine.ts';
import { besideOf } from './load-sql.ts';
import { full, inLake, list, type Place, placesOf } from './places.ts';
import { ident, literal } from './sql.ts';
import { statement } from './statement.ts';
import { keysOf, namesOf } from './table-sql.ts';

/** A column as it shall be, and where its values come from. */
interface Target {
  readonly name: string;
  readonly lakeType: string;
  /** The column that holds the values so far; undefined: none. */
  readonly was?: { readonly name: string; readonly lakeType: string };
  /** SQL of the value that rows from before have. */
  readonly filled?: string;
}

/**
 * Bring a table of the lake from what it was to what it shall be, in the transaction of the batch that follows it.
 *
 * A table is altered in place by one ALTER, or by several that add columns; for anything more it is made anew out of itself. Several other
 * ALTERs of one table beside changes of its rows in one transaction make a DuckDB file refuse the commit, and a DuckLake accept it and
 * be unreadable from then on ("Column with name … already exists", 1.5.5; test/lake/ducklake-alters.test.ts).
 * The history follows by `alterHistory`.
 */
export async function alterTable(sql: Sql, { was, table, changes }: Evolution): Promise<void> {
  if (changes.length === 0) return;
  const places = placesOf(table);
  const before = was && placesOf(was);
  // While a state is held, that of before may be shown at its place.
  if (was?.held && (table.dropped || inLake(was.lake) !== inLake(table.lake))) await sql.run(`DROP TABLE IF EXISTS ${full(was.lake)}`);
  if (table.dropped) {
    await sql.run(`DROP TABLE IF EXISTS ${full((before ?? places).state)}`);
    return;
  }
  for (const { schema } of Object.values(places)) await sql.run(`CREATE SCHEMA IF NOT EXISTS lake.${ident(schema)}`);
  const columns = columnTargets(was, table, changes);
  const replaced = changes.some(({ change }) => change === 'table_replaced');
  const hadState = was !== undefined && was.key !== null && !was.dropped;
  if (before && hadState && (replaced || table.key === null)) await sql.run(`DROP TABLE ${full(before.state)}`);
  if (table.key !== null) await reshape(sql, hadState && !replaced ? before?.state : undefined, places.state, columns);
  await reshape(sql, before?.changes, places.changes, [...ownTargets(was, table), ...columns, ...leftTargets(was, table)]);
}

/** Make the history anew where the table has changed; that of a table that is gone stays. */
export async function alterHistory(sql: Sql, { was, table, changes }: Evolution): Promise<void> {
  if (changes.length === 0 || table.dropped || (table.held && !table.held.shown)) return;
  const before = was && placesOf(was).history;
  if (before && inLake(before) !== inLake(placesOf(table).history)) await dropHistory(sql, before);
  await makeHistory(sql, table);
}

function columnTargets(was: LakeTable | undefined, table: LakeTable, changes: readonly SchemaChange[]): Target[] {
  const filled = new Map<number, unknown>();
  for (const one of changes) if (one.change === 'column_added' && one.filled !== null) filled.set(one.column.attnum, one.filled);
  return table.columns.map((column) => {
    const before = was?.columns.find(({ attnum }) => attnum === column.attnum);
    const value = filled.has(column.attnum) && filledValue(column, filled.get(column.attnum));
    return { name: column.name, lakeType: column.lakeType, ...(before && { was: before }), ...(value && { filled: value }) };
  });
}

/** SQL of the value that rows from before an ADD COLUMN … DEFAULT have. */
export function filledValue(column: LakeColumn, json: unknown): string {
  const text = typeof json === 'string' ? json : JSON.stringify(json);
  return mapType(column.type, column.override, column.source).fromText(literal(text));
}

async function dropHistory(sql: Sql, history: Place): Promise<void> {
  await sql.run(`DROP VIEW IF EXISTS ${full(history)}`);
  await sql.run(`DROP MACRO TABLE IF EXISTS ${full(macroOf(history))}`);
}

function macroOf({ schema, name }: Place): Place {
  return { schema, name: `${name}_at` };
}

/** The SCD2 view of a table; none without a key. */
export async function makeHistory(sql: Sql, table: LakeTable): Promise<void> {
  const { history, changes } = placesOf(table);
  if (table.key === null) {
    await dropHistory(sql, history);
    return;
  }
  const names = namesOf(table);
  await sql.run(
    statement('history', {
      history: full(history),
      changes: inLake(changes),
      columns: list(names, 'f.'),
      key: list(keysOf(table)),
      op: ident(table.own._op),
      seq: ident(table.own._seq),
      batch: ident(table.own._batch),
      from: ident(table.own.valid_from),
      to: ident(table.own.valid_to),
      current: ident(table.own.is_current),
      context: ident(table.own._context),
      next: besideOf([...table.columns, ...table.left]).next,
    }),
  );
  // A macro's names are bound when it is made, in the catalog of then, and again when it is used.
  await sql.run('USE lake');
  const macro = inLake(macroOf(history));
  await sql.run(
    statement('history_at', {
      macro,
      history: inLake(history),
      columns: list(names),
      from: ident(table.own.valid_from),
      to: ident(table.own.valid_to),
    }),
  );
  await sql.run('USE memory');
}

const OWN_TYPES = {
  _op: 'VARCHAR',
  _seq: 'BIGINT',
  _xid: 'BIGINT',
  _ts: 'TIMESTAMPTZ',
  _batch: 'BIGINT',
  _context: 'JSON',
} as const;

function ownTargets(was: LakeTable | undefined, table: LakeTable): Target[] {
  return Object.entries(OWN_TYPES).map(([own, lakeType]) => {
    const name = own as keyof typeof OWN_TYPES;
    return { name: table.own[name], lakeType, ...(was && { was: { name: was.own[name], lakeType } }) };
  });
}

/** Columns that the source has dropped stay in the typed log. `left` lists those of before first, then those dropped now, in their order. */
function leftTargets(was: LakeTable | undefined, table: LakeTable): Target[] {
  if (!was) return table.left.map(({ name, lakeType }) => ({ name, lakeType }));
  const gone = was.columns.filter(({ attnum }) => !table.columns.some((column) => column.attnum === attnum));
  const before = [...was.left, ...gone];
  return table.left.map(({ name, lakeType }, index) => {
    const one = before[index];
    return { name, lakeType, ...(one && { was: one }) };
  });
}

async function reshape(sql: Sql, from: Place | undefined, to: Place, targets: readonly Target[]): Promise<void> {
  if (from === undefined) {
    await sql.run(`CREATE TABLE ${full(to)} (${targets.map(({ name, lakeType }) => `${ident(name)} ${lakeType}`).join(', ')})`);
    return;
  }
  const inPlace = inLake(from) === inLake(to);
  const added = targets.filter(({ was }) => was === undefined);
  const renamed = targets.filter(({ name, was }) => was !== undefined && was.name !== name);
  const retyped = targets.filter(({ lakeType, was }) => was !== undefined && was.lakeType !== lakeType);
  const present = await sql.rows(`SELECT column_name FROM (DESCRIBE ${full(from)})`);
  const dropped = present.map((row) => String(row.column_name)).filter((name) => !targets.some(({ was }) => was?.name === name));
  const steps = (added.length > 0 ? 1 : 0) + renamed.length + retyped.length + dropped.length;
  if (inPlace && steps === 0) return;
  const [renaming] = renamed;
  const [dropping] = dropped;
  if (inPlace && steps === 1 && retyped.length === 0 && added.every(({ filled }) => filled === undefined)) {
    for (const { name, lakeType } of added) await sql.run(`ALTER TABLE ${full(to)} ADD COLUMN ${ident(name)} ${lakeType}`);
    if (renaming?.was) await sql.run(`ALTER TABLE ${full(to)} RENAME COLUMN ${ident(renaming.was.name)} TO ${ident(renaming.name)}`);
    if (dropping !== undefined) await sql.run(`ALTER TABLE ${full(to)} DROP COLUMN ${ident(dropping)}`);
    return;
  }
  const made = inPlace ? { ...to, name: `${to.name} (sluice)` } : to;
  await sql.run(`CREATE TABLE ${full(made)} AS SELECT ${targets.map(selectTarget).join(', ')} FROM ${full(from)}`);
  await sql.run(`DROP TABLE ${full(from)}`);
  if (inPlace) await sql.run(`ALTER TABLE ${full(made)} RENAME TO ${ident(to.name)}`);
}

function selectTarget({ name, lakeType, was, filled }: Target): string {
  if (was === undefined) return `CAST(${filled ?? 'NULL'} AS ${lakeType}) AS ${ident(name)}`;
  // Should a value not fit, the row's next change brings it; the log has it whole.
  return was.lakeType === lakeType
    ? `${ident(was.name)} AS ${ident(name)}`
    : `TRY_CAST(${ident(was.name)} AS ${lakeType}) AS ${ident(name)}`;
}
