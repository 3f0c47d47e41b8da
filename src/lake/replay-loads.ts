import type { SchemaStep } from '../model/schema-history.ts';
import type { LakeTable } from '../model/table.ts';
import type { Sql } from './engine.ts';
import { LOADED_SEQ } from './load-sql.ts';
import { list } from './places.ts';
import { ident, literal } from './sql.ts';
import { keysOf, namesOf, partsOf, sameKey } from './table-sql.ts';

/** What the typed log calls today each column that a table had then, in the order of `table.columns`. Columns that are gone are among those that are left. */
export function namesNow(steps: readonly SchemaStep[], table: LakeTable): string[] {
  const then = steps.findLastIndex(({ evolution }) => sameColumns(evolution.table, table));
  return table.columns.map((_, index) => {
    let place = { left: false, index };
    for (const { evolution } of steps.slice(then + 1)) {
      const { was, table: next } = evolution;
      if (was === undefined || place.left) continue;
      const attnum = was.columns[place.index]?.attnum;
      const column = next.columns.findIndex((one) => one.attnum === attnum);
      const gone = was.columns.filter((one) => !next.columns.some((other) => other.attnum === one.attnum));
      place =
        column >= 0
          ? { left: false, index: column }
          : { left: true, index: was.left.length + gone.findIndex((one) => one.attnum === attnum) };
    }
    const last = steps.at(-1)?.evolution.table;
    return (place.left ? last?.left[place.index]?.name : last?.columns[place.index]?.name) ?? '';
  });
}

function sameColumns(one: LakeTable, other: LakeTable): boolean {
  return one.id === other.id && JSON.stringify(one.columns) === JSON.stringify(other.columns);
}

/**
 * Rows that a load has brought, out of the typed log `from` (that of `real`), into one that is made anew, and into its state.
 * @param names what `from` calls the columns of `table`
 */
export async function takeOverLoad(
  sql: Sql,
  table: LakeTable,
  { batchId, anew, from, real, names }: { batchId: number; anew: boolean; from: string; real: LakeTable; names: readonly string[] },
): Promise<void> {
  const { changes, state, op, seq, batch } = partsOf(table);
  const columns = list(namesOf(table));
  const values = table.columns.map(
    ({ name, lakeType }, index) => `TRY_CAST(${ident(names[index] ?? '')} AS ${lakeType}) AS ${ident(name)}`,
  );
  const loaded = `(SELECT ${[...values, `${ident(real.own._op)} AS ${op}`, `${ident(real.own._seq)} AS ${seq}`].join(', ')} FROM ${from}
    WHERE ${ident(real.own._batch)} = ${batchId} AND ${ident(real.own._seq)} < 0)`;
  await sql.run(`INSERT INTO ${changes} (${columns}, ${op}, ${seq}, ${batch}) SELECT ${columns}, ${op}, ${seq}, ${batchId} FROM ${loaded}`);
  if (keysOf(table).length === 0) return;
  const same = sameKey(table, 'l', 't');
  const mine = `(FROM ${changes} WHERE ${batch} = ${batchId} AND ${seq} = ${LOADED_SEQ})`;
  if (anew) await sql.run(`DELETE FROM ${state} AS t WHERE NOT EXISTS (FROM ${changes} AS l WHERE ${batch} > ${batchId} AND ${same})`);
  await sql.run(`DELETE FROM ${state} AS t USING ${mine} AS l WHERE ${same}`);
  await sql.run(`INSERT INTO ${state} (${columns}) SELECT ${columns} FROM ${mine} AS l WHERE ${op} = ${literal('R')}`);
}
