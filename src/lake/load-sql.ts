import { randomUUID } from 'node:crypto';
import { fold } from '../model/lake-names.ts';
import { isTime, type OpenLoad, type ReadColumn, type Reading } from '../model/load.ts';
import type { LakeColumn } from '../model/table.ts';
import { mapType } from '../model/types.ts';
import type { LoadRequest } from '../pipeline/ports.ts';
import type { Sql } from './engine.ts';
import { ident, literal } from './sql.ts';
import { statement } from './statement.ts';
import { partsOf } from './table-sql.ts';

/** How rows of a load are marked in the typed log. Their batch holds nothing else of the table. */
export const LOADED_SEQ = -1;
/** The T with which all rows of before end, where all are loaded anew. */
export const EMPTIED_SEQ = -2;

/** From where on the log says what a row is: where a state is held, from its beginning. */
export function sinceOf({ table, batchId }: OpenLoad): number {
  return table.held?.since ?? Number(batchId) + 1;
}

/** A load to ask for. By default it is of all rows, and nobody waits for it: see load_request.sql. */
export type WantedLoad = Pick<LoadRequest, 'tableId' | 'mode'> & Partial<LoadRequest> & { readonly asked?: boolean };

/** Ask for loads, in the lake's transaction: of each table and mode one, of those that nobody waits for. */
export async function requestLoads(sql: Sql, wanted: readonly WantedLoad[]): Promise<void> {
  if (wanted.length === 0) return;
  const loads = wanted.map(({ id = randomUUID(), tableId, mode, sample = null, gapId = null, asked = false }) => ({
    load_id: id,
    table_id: tableId,
    mode,
    sample,
    gap_id: gapId,
    asked,
  }));
  await sql.run(statement('load_request'), { loads: JSON.stringify(loads) });
}

/** What a comparison has seen of the source so far: of each row its key, its hash and its place. It spills, and goes with the engine. */
export const SEEN = 'load_seen';

/** Names, quoted, of what goes beside a table's columns: none of them is one of these. */
export function besideOf(
  columns: readonly Pick<LakeColumn, 'name'>[],
): Record<'at' | 'odd' | 'lost' | 'hash' | 'relid' | 'difference' | 'next', string> {
  const taken = new Set(columns.map(({ name }) => fold(name)));
  const free = (name: string): string => (taken.has(fold(name)) ? free(`_${name}`) : ident(name));
  return {
    at: free('_sluice at'),
    odd: free('_sluice odd'),
    lost: free('_sluice lost'),
    hash: free('_sluice hash'),
    relid: free('_sluice relid'),
    difference: free('_sluice difference'),
    next: free('_sluice next'),
  };
}

/** Whether a value of a column that arrives as text may have none in the lake's type. */
function mayLose({ column, way }: ReadColumn): boolean {
  return way !== 'native' && mapType(column.type, column.override, column.source).fromText('x') !== 'x';
}

/** The column of lost values that `projection` makes; undefined: there can be none, it is null. */
export function lostColumn({ columns }: Reading): string | undefined {
  return columns.some(mayLose) ? besideOf(columns.map(({ column }) => column)).lost : undefined;
}

/** Rows as they arrive, as the lake has them, with the columns of which a value was lost, and with their place as a number: page * 65536 + row. */
export function projection({ columns, placed, checked }: Reading, from: string): string {
  let next = 0;
  const values: string[] = [];
  const lost: string[] = [];
  for (const { column, way } of columns) {
    const first = `c${next}`;
    next += way === 'guarded' ? 2 : 1;
    if (way === 'native') {
      values.push(`${first} AS ${ident(column.name)}`);
      continue;
    }
    const text = way === 'guarded' ? `c${next - 1}` : first;
    const converted = mapType(column.type, column.override, column.source).fromText(text);
    const value = converted === text ? text : `TRY(${converted})`;
    values.push(`${way === 'guarded' ? `coalesce(${first}, ${value})` : value} AS ${ident(column.name)}`);
    if (mayLose({ column, way, arrives: [] }))
      lost.push(`CASE WHEN ${text} IS NOT NULL AND ${value} IS NULL THEN ${literal(column.name)} END`);
  }
  const any =
    lost.length === 0
      ? 'NULL::VARCHAR[]'
      : `CASE WHEN ${lost.map((one) => `(${one}) IS NOT NULL`).join(' OR ')} THEN list_filter([${lost.join(', ')}], lambda x: x IS NOT NULL) END`;
  const beside = besideOf(columns.map(({ column }) => column));
  const at = `split_part(substr(place, 2), ',', 1)::BIGINT * 65536 + rtrim(split_part(place, ',', 2), ')')::BIGINT AS ${beside.at}`;
  const arrive = [
    ...(placed ? ['place'] : []),
    ...Array.from({ length: next }, (_, index) => `c${index}`),
    ...(checked.length > 0 ? ['odd'] : []),
  ];
  return `SELECT ${[...values, ...(placed ? [at] : []), ...(checked.length > 0 ? [`odd AS ${beside.odd}`] : []), `${any} AS ${beside.lost}`].join(', ')} FROM ${from} AS r (${arrive.join(', ')})`;
}

/**
 * That a row which was read without guards may hold a value that the reader has altered: times too late for the engine arrive as ones before the ice age, the
 * last one that fits as infinity.
 */
export function oddCondition({ columns, checked }: Reading): string {
  const table = columns.map(({ column }) => column);
  const late = table
    .filter(isTime)
    .map(({ name }) => `${ident(name)} > '290000-01-01' OR ${ident(name)} < '5000-01-01 (BC)' AND isfinite(${ident(name)})`);
  return [...(checked.length > 0 ? [besideOf(table).odd] : []), ...late].join(' OR ') || 'false';
}

/** Ids of those of these tables that a batch has changed since their load could see it. */
export async function findConcerned(sql: Sql, loads: readonly OpenLoad[], since = sinceOf): Promise<ReadonlySet<number>> {
  const tables = loads.map((load) => ({ table_id: load.table.id, since: since(load) }));
  const rows = await sql.rows(statement('load_concerned'), { tables: JSON.stringify(tables) });
  return new Set(rows.map(({ table_id }) => Number(table_id)));
}

/** Fill temp.load_changed with the keys of which the log knows better than what was read; for a table that is concerned and has a key. */
export async function makeChanged(sql: Sql, load: OpenLoad, since = sinceOf(load)): Promise<void> {
  const { changes, key, op, seq, batch } = partsOf(load.table);
  await sql.run(statement('load_changed', { changes, key, op, seq, batch }), { since, load: load.batchId });
}

/** The same if it is. Returns whether there are any. */
export async function findChanged(sql: Sql, load: OpenLoad, since = sinceOf(load)): Promise<boolean> {
  if (load.table.key === null || (await findConcerned(sql, [load], () => since)).size === 0) return false;
  await makeChanged(sql, load, since);
  return true;
}

/** Values of loaded rows that the lake's types can't hold. */
export async function noteLosses(sql: Sql, { table, batchId }: OpenLoad, relation: string, condition: string): Promise<void> {
  await sql.run(statement('load_losses', { relation, condition, lost: besideOf(table.columns).lost }), {
    batch_id: batchId,
    seq: LOADED_SEQ,
    table_schema: table.lake.schema,
    table_name: table.lake.name,
  });
}
