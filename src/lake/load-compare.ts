import { SluiceError } from '../model/error.ts';
import type { OpenLoad, Places } from '../model/load.ts';
import type { Sql } from './engine.ts';
import { besideOf, findChanged, LOADED_SEQ, noteLosses, SEEN } from './load-sql.ts';
import { keyColumns, list } from './places.ts';
import { ident } from './sql.ts';
import { statement } from './statement.ts';
import { keysOf, partsOf, sameKey } from './table-sql.ts';

/*
 * Holding what the source has against a state that is shown. Of each row its key and a hash are kept; where they differ from the state's the row is read
 * once more. Rows that a batch has changed since the load began are left to the log. What was seen is not kept in the lake, which would be written in full
 * for each verification; so a comparison that was killed begins anew.
 */

export async function prepareCompare(sql: Sql, { table }: OpenLoad): Promise<void> {
  const { hash, relid, at } = besideOf(table.columns);
  const columns = keyColumns(table).map(({ name, lakeType }) => `${ident(name)} ${lakeType}, `);
  await sql.run(`CREATE OR REPLACE TEMP TABLE ${SEEN} (${columns.join('')}${hash} UBIGINT, ${relid} UINTEGER, ${at} BIGINT)`);
}

export async function keepSeen(sql: Sql, { table }: OpenLoad, relation: string, relid: string): Promise<void> {
  const { at } = besideOf(table.columns);
  await sql.run(statement('load_seen', { ...partsOf(table), seen: `temp.${SEEN}`, relation, relid, at }));
}

/** Rows to be read in one statement. */
const PLACES = 20_000;
/** Of more rows not even the places are to be in memory: then all rows are loaded anew, in chunks. */
const MANY = 500_000;

/** Fill temp.load_difference; returns where the rows are that the lake lacks or has otherwise. */
export async function compareRows(sql: Sql, load: OpenLoad): Promise<Places[]> {
  const { table } = load;
  const keys = keysOf(table);
  const both = keys.map((name) => `coalesce(s.${ident(name)}, t.${ident(name)}) AS ${ident(name)}`).join(', ');
  const beside = besideOf(table.columns);
  await sql.run(
    statement('load_differences', {
      ...partsOf(table),
      seen: `temp.${SEEN}`,
      both,
      join: load.sample === null ? 'FULL' : 'LEFT',
      same_key: sameKey(table, 's', 't'),
      ...beside,
    }),
  );
  await leaveChanged(sql, load);
  if (load.mode === 'verify') return [];
  const [counted] = await sql.rows(`SELECT count(*) AS n FROM temp.load_difference WHERE ${beside.difference} <> 'extra'`);
  if (Number(counted?.n) > MANY)
    throw new SluiceError('load_large', `${counted?.n} rows of the lake are not those of the source`, 'None: all rows are loaded anew.');
  const found = await sql.rows(statement('load_places', beside));
  return found.flatMap(({ relid, places }) => {
    const all = places as string[];
    const parts = Array.from({ length: Math.ceil(all.length / PLACES) }, (_, index) => all.slice(index * PLACES, (index + 1) * PLACES));
    return parts.map((part) => ({ relid: String(relid), places: part }));
  });
}

/** What a captured change has reached is the log's. */
async function leaveChanged(sql: Sql, load: OpenLoad): Promise<void> {
  if (!(await findChanged(sql, load))) return;
  await sql.run(`DELETE FROM temp.load_difference AS l USING temp.load_changed AS c WHERE ${sameKey(load.table, 'c', 'l')}`);
}

/** Mend the state, or list what is wrong with it. */
export async function completeCompare(
  sql: Sql,
  load: OpenLoad,
  again: readonly string[],
): Promise<{ missing: number; different: number; extra: number }> {
  const { table, batchId, mode } = load;
  await leaveChanged(sql, load);
  const rows = await sql.rows(
    `SELECT ${besideOf(table.columns).difference} AS difference, count(DISTINCT (${list(keysOf(table))})) AS n FROM temp.load_difference GROUP BY ALL`,
  );
  const count = (kind: string) => Number(rows.find(({ difference }) => difference === kind)?.n ?? 0);
  const counts = { missing: count('missing'), different: count('different'), extra: count('extra') };
  if (mode !== 'compare') await listDifferences(sql, load);
  if (mode !== 'verify') await mend(sql, load, again, Number(batchId));
  return counts;
}

async function listDifferences(sql: Sql, { id, table }: OpenLoad): Promise<void> {
  const names = { table_schema: table.lake.schema, table_name: table.lake.name };
  await sql.run('DELETE FROM lake.sluice.difference WHERE table_schema = $table_schema AND table_name = $table_name', names);
  const key = keysOf(table)
    .map((name) => `${ident(name)} := ${ident(name)}`)
    .join(', ');
  await sql.run(statement('load_listed', { difference: besideOf(table.columns).difference, key }), { load_id: id, ...names });
}

async function mend(sql: Sql, load: OpenLoad, again: readonly string[], batchId: number): Promise<void> {
  const { table } = load;
  const parts = partsOf(table);
  const { difference } = besideOf(table.columns);
  const same = sameKey(table, 'd', 'l');
  const rows = again.length === 0 ? undefined : `(${again.map((relation) => `FROM ${relation}`).join(' UNION ALL ')})`;
  const found = rows === undefined ? 'false' : `EXISTS (FROM ${rows} AS l WHERE ${same})`;
  const [lacking] = await sql.rows(statement('load_lacking', { difference, found }));
  if (Number(lacking?.n) > 0)
    throw new SluiceError('load_disturbed', 'Rows that were to be mended were not found again', 'None: the load begins anew.');
  const own = { mark: LOADED_SEQ, batch_id: batchId };
  const extra = `EXISTS (FROM temp.load_difference AS d WHERE ${difference} = 'extra' AND ${same})`;
  await sql.run(statement('load_log', { ...parts, relation: parts.state, distinct: '', condition: extra }), { ...own, kind: 'D' });
  await sql.run(`DELETE FROM ${parts.state} AS l USING temp.load_difference AS d WHERE ${same}`);
  if (rows === undefined) return;
  const wanted = `EXISTS (FROM temp.load_difference AS d WHERE ${difference} <> 'extra' AND ${same})`;
  const brought = { ...parts, relation: rows, distinct: `DISTINCT ON (${parts.key})`, condition: wanted };
  await sql.run(statement('load_log', brought), { ...own, kind: 'R' });
  await sql.run(statement('load_state', brought));
  await noteLosses(sql, load, rows, wanted);
}
