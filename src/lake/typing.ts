import type { Evolution } from '../model/evolution.ts';
import type { LakeColumn, LakeTable } from '../model/table.ts';
import { mapType } from '../model/types.ts';
import { filledValue } from './ddl.ts';
import type { Sql } from './engine.ts';
import { list } from './places.ts';
import { type ProjectedColumn, type Projection, projectColumns } from './projection.ts';
import type { Row } from './rows.ts';
import { ident, literal } from './sql.ts';
import { statement } from './statement.ts';

/** A table's changes of the staged batch, typed as the lake will hold them. */
export interface Typed {
  /** A FROM item with our _op, _seq, _xid, _ts and the table's columns. */
  readonly relation: string;
  /** Whether the typed log has them already. */
  readonly logged: boolean;
  /** Whether changes of this table carry who made them and why. */
  readonly context: boolean;
  /** What batch_table_of.sql says of it, where that was asked for already. */
  readonly brought?: Row;
  /** Values that the lake's types can't hold. */
  readonly losses: readonly { readonly seq: string; readonly column: string | null; readonly reason: string }[];
}

/**
 * Type the staged changes of one table into a temp table: whole sets at once, and rows of which a value does not fit once more, value by value.
 *
 * Changes that were captured before a column was added, renamed or dropped carry the names of then. Rows are taken by the set of keys that they
 * have, and each set by the names that the table has now, else by those that the lake knows it or has known it under: names are matched by
 * column number.
 */
export async function typeChanges(
  sql: Sql,
  { table, changes, was }: Evolution,
  { rows, context, filled, last }: ToType,
  from = stagedOf(table),
): Promise<Typed> {
  const layouts = [table.columns, was?.columns ?? [], was?.before?.columns ?? []];
  const relation = typedRelation(table);
  const own = `${ident(table.own._op)} VARCHAR, ${ident(table.own._seq)} BIGINT, ${ident(table.own._xid)} BIGINT, ${ident(table.own._ts)} TIMESTAMPTZ`;
  const columns = table.columns.map(({ name, lakeType }) => `, ${ident(name)} ${lakeType}`).join('');
  await sql.run(`CREATE OR REPLACE TEMP TABLE ${relation} (${own}${columns})`);
  const losses: Typed['losses'][number][] = [];
  const typed: Typed = { relation, logged: false, context, losses };
  const insertStrict = async (insert: string) =>
    (await sql.run(insert)) - (await sql.run(`DELETE FROM ${relation} WHERE ${ident(table.own._seq)} IS NULL`));
  let rest = from;
  let left = rows;
  if (sameColumns(changes, was, last)) {
    left -= await insertStrict(`INSERT INTO ${relation} ${asNow(table).strict(rest)}`);
    if (left === 0) return typed;
  }
  const without = (some: string) => exceptTyped(some, table, relation);
  if (left < rows) rest = without(rest);
  const sets = await sql.rows(`SELECT to_json(json_keys(data))::VARCHAR AS keys, count(*) AS n FROM ${rest} GROUP BY ALL`);
  for (const { keys, n } of sets) {
    const found = keys === null ? [] : (JSON.parse(String(keys)) as string[]);
    const some = `(FROM ${rest} WHERE to_json(json_keys(data))::VARCHAR IS NOT DISTINCT FROM ${keys === null ? 'NULL' : literal(String(keys))})`;
    const name = namesOf(found, layouts);
    const present = table.columns.filter((column) => name.has(column.attnum));
    const projection = project(present, (column) => name.get(column.attnum) ?? '', table.own);
    const absent = table.columns.filter((column) => !name.has(column.attnum));
    const fill = absent.map(
      (column) => `, ${column.attnum in filled ? filledValue(column, filled[column.attnum]) : 'NULL'} AS ${ident(column.name)}`,
    );
    const insert = (select: string) => `INSERT INTO ${relation} BY NAME SELECT *${fill.join('')} FROM (${select})`;
    const strange = found.filter(
      (key) => ![...name.values()].includes(key) && !layouts.flat().some(({ source }) => source === key) && key !== TOO_LARGE,
    );
    if (strange.length > 0 && absent.length > 0) {
      for (const row of await sql.rows(`SELECT cdc_seq FROM ${some}`))
        losses.push({ seq: String(row.cdc_seq), column: null, reason: 'captured under a column name that is not known' });
    }
    if (found.length === 0) {
      for (const row of await sql.rows(`SELECT cdc_seq FROM ${some} WHERE json_type(data) <> 'OBJECT'`))
        losses.push({ seq: String(row.cdc_seq), column: null, reason: 'the row is no JSON' });
    }
    if ((await insertStrict(insert(projection.strict(some)))) === Number(n)) continue;
    for (const row of await sql.rows(projection.losses(without(some)))) {
      losses.push({
        seq: String(row.cdc_seq),
        column: row.column_name === null ? null : String(row.column_name),
        reason: String(row.reason),
      });
    }
    await sql.run(insert(projection.thorough(without(some))));
  }
  return typed;
}

/**
 * The same of many changes, typed into the typed log itself: no second copy in memory, and nothing is written twice. Only where `goesStraight`.
 * @param log the typed log
 */
export async function typeIntoLog(sql: Sql, batchId: number, log: string, evolution: Evolution, toType: ToType): Promise<Typed> {
  const { table } = evolution;
  const { _op, _seq, _xid, _ts, _batch } = table.own;
  const columns = list([_op, _seq, _xid, _ts, ...table.columns.map(({ name }) => name), _batch]);
  const ours = `${ident(_batch)} = ${batchId}`;
  const inserted = await sql.run(`INSERT INTO ${log} (${columns}) SELECT *, ${batchId} FROM (${asNow(table).strict(stagedOf(table))})`);
  const relation = `(FROM ${log} WHERE ${ours})`;
  const brought = await broughtBy(sql, table, relation);
  const rows = inserted - Number(brought.changes);
  if (rows === 0) return { relation, logged: true, context: false, brought, losses: [] };
  await sql.run(`DELETE FROM ${log} WHERE ${ours} AND ${ident(_seq)} IS NULL`);
  const rest = await typeChanges(sql, evolution, { ...toType, rows }, exceptTyped(stagedOf(table), table, relation));
  await sql.run(`INSERT INTO ${log} (${columns}) SELECT *, ${batchId} FROM ${rest.relation}`);
  return { relation, logged: true, context: false, losses: rest.losses };
}

/** What a batch has brought for one table, for its row of sluice.batch_table. */
export async function broughtBy(sql: Sql, { own }: LakeTable, typed: string): Promise<Row> {
  const [row] = await sql.rows(statement('batch_table_of', { typed, seq: ident(own._seq), ts: ident(own._ts) }));
  return row ?? {};
}

/**
 * Fewer changes of a table than this are typed into a temp table: each look into a DuckLake costs milliseconds. Not the number of
 * postgresStager, though equal to it: a batch that is staged may go straight as well, and a large batch may have few changes of a table.
 */
const MANY = 50_000;

export function goesStraight({ changes, was }: Evolution, { rows, context, last, wide = false }: ToType): boolean {
  return (rows >= MANY || wide) && !context && sameColumns(changes, was, last);
}

/** Whether all staged changes have the columns of now, as far as is known. */
function sameColumns(changes: Evolution['changes'], was: LakeTable | undefined, last: number | undefined): boolean {
  const settled = was?.before === undefined || was.before.batch !== last;
  return settled && changes.every(({ change }) => change === 'table_added' || change === 'key_changed');
}

function stagedOf({ id }: LakeTable): string {
  return `(FROM temp.stage WHERE table_id = ${id} AND cdc_op <> 'T')`;
}

function exceptTyped(staged: string, { own }: LakeTable, typed: string): string {
  return `(FROM ${staged} WHERE cdc_seq NOT IN (SELECT ${ident(own._seq)} FROM ${typed}))`;
}

function asNow({ columns, own }: LakeTable): Projection {
  return project(columns, ({ source }) => source, own);
}

/** The temp table that a table's changes are typed into. */
export function typedRelation({ id }: LakeTable): string {
  return `temp.${ident(`typed_${id}`)}`;
}

/** What is to be typed of a table. */
export interface ToType {
  /** How many staged changes of the table are no TRUNCATE. */
  readonly rows: number;
  /** Whether any of them carries a context. */
  readonly context: boolean;
  /** By attnum: what a row that was captured before an `ADD COLUMN … DEFAULT` has in that column. */
  readonly filled: Readonly<Record<string, unknown>>;
  /** The number of the batch before this one; see LakeTable.before. */
  readonly last?: number | undefined;
  /** Their rows are so wide that no temp table has room for them. */
  readonly wide?: boolean;
}

const TOO_LARGE = '_sluice_too_large';

function project(columns: readonly LakeColumn[], key: (column: LakeColumn) => string, own: Projection['own']): Projection {
  return projectColumns(
    columns.map((column): ProjectedColumn => {
      return { attnum: column.attnum, key: key(column), name: column.name, mapping: mapType(column.type, column.override, column.source) };
    }),
    own,
  );
}

/** By attnum: under which of these keys a row has the column. `layouts`: the columns as they are now, then as they were, latest first. */
function namesOf(keys: readonly string[], layouts: readonly (readonly LakeColumn[])[]): Map<number, string> {
  const has = new Set(keys);
  const [now = []] = layouts;
  // PostgreSQL writes the keys in the order of the columns, so the sequence tells even when two columns have exchanged their names.
  const exactly = layouts.findIndex((columns) => columns.map(({ source }) => source).join('\0') === keys.join('\0'));
  const whole = layouts.findIndex((columns) => columns.length > 0 && columns.every(({ source }) => has.has(source)));
  const first = exactly >= 0 ? exactly : Math.max(whole, 0);
  const names = new Map<number, string>();
  for (const columns of [layouts[first] ?? [], ...layouts]) {
    for (const { attnum, source } of columns) {
      const wanted = now.some((column) => column.attnum === attnum);
      if (wanted && has.has(source) && !names.has(attnum) && ![...names.values()].includes(source)) names.set(attnum, source);
    }
  }
  return names;
}
