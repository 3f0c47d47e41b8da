import type { OpenLoad } from '../model/load.ts';
import type { LakeTable } from '../model/table.ts';
import { makeHistory } from './ddl.ts';
import type { Sql } from './engine.ts';
import { addFiles, type DataFile } from './load-files.ts';
import { EMPTIED_SEQ, findConcerned, LOADED_SEQ, makeChanged, noteLosses } from './load-sql.ts';
import { full, list, placesOf } from './places.ts';
import { register } from './registry.ts';
import { ident } from './sql.ts';
import { statement } from './statement.ts';
import { keysOf, partsOf, sameKey } from './table-sql.ts';

/*
 * Loading a table whose state is not shown meanwhile. The drain feeds that state as any other; each chunk adds its rows to it but those that the log
 * knows of, so the order in which chunks and batches come does not matter.
 */

/** Make room, in the transaction that begins the load. A table's first load has it already: its state is held from the beginning. */
export async function prepareFill(sql: Sql, { table, mode, batchId }: OpenLoad): Promise<void> {
  if (mode === 'fill') return;
  const { changes, state, history } = placesOf(table);
  const { _op, _seq, _batch } = table.own;
  const since = Number(batchId);
  if (mode === 'reset') {
    await sql.run(`DROP VIEW IF EXISTS ${full(history)}`);
    await sql.run(`DELETE FROM ${full(changes)}`);
    if (table.key !== null) await sql.run(`DROP TABLE ${full(state)}`);
    await sql.run('DELETE FROM lake.sluice.batch_table WHERE table_id = $id::INTEGER', { id: table.id });
  } else {
    // All rows of before end where those of the load begin.
    await sql.run(`INSERT INTO ${full(changes)} (${list([_op, _seq, _batch])}) VALUES ('T', ${EMPTIED_SEQ}, ${since})`);
  }
  const held: LakeTable = { ...table, held: { since, shown: mode === 'full' && table.key !== null } };
  if (table.key !== null) {
    const columns = table.columns.map(({ name, lakeType }) => `${ident(name)} ${lakeType}`).join(', ');
    await sql.run(`CREATE TABLE ${full(placesOf(held).state)} (${columns})`);
  }
  await register(sql, [held]);
}

/**
 * Take back what a load has written before it was disturbed, if it had begun. The state becomes what the log makes of it; where all is loaded anew it begins empty once
 * more, with the load's new number.
 * @param load as it was, its table as it is registered
 */
export async function forgetFill(sql: Sql, { table, batchId: begun }: OpenLoad, batchId: number): Promise<void> {
  const before = begun ?? -1;
  const { changes, state, batch, op, seq, ...parts } = partsOf(table);
  await sql.run(`DELETE FROM ${changes} WHERE ${batch} = ${before} AND ${op} = 'R'`);
  await sql.run('DELETE FROM lake.sluice.loss WHERE batch_id = $batch_id::BIGINT AND cdc_seq = $seq::BIGINT', {
    batch_id: before,
    seq: LOADED_SEQ,
  });
  const emptied = await sql.run(
    `UPDATE ${changes} SET ${batch} = ${batchId} WHERE ${batch} = ${before} AND ${op} = 'T' AND ${seq} = ${EMPTIED_SEQ}`,
  );
  const since = emptied > 0 ? batchId : Number(table.held?.since);
  if (emptied > 0) await register(sql, [{ ...table, held: { since, shown: table.held?.shown === true } }]);
  if (table.key === null) return;
  await sql.run(`DELETE FROM ${state}`);
  await sql.run(statement('load_held_state', { ...parts, changes, state, batch, op, seq }), { since });
}

/** What was read of some chunks. */
interface ReadPart {
  readonly rows: number;
  readonly relation: string;
  readonly file: DataFile | undefined;
  /** A value of it was lost. */
  readonly lossy: boolean;
}

/**
 * Rows into the state and into the typed log.
 * @param changed whether temp.load_changed holds keys of the table that are to be left out
 */
export async function fill(sql: Sql, load: OpenLoad, read: readonly ReadPart[], changed: boolean): Promise<void> {
  if (read.length === 0) return;
  const { table, batchId } = load;
  const known = changed ? `NOT EXISTS (FROM temp.load_changed AS c WHERE ${sameKey(table, 'c', 'l')})` : 'true';
  const files = read.flatMap(({ file }) => file ?? []);
  const shared = read.flatMap(({ file, lossy }) => (file && !changed && !lossy && table.key !== null ? file : []));
  for (const { relation, file, lossy } of read) {
    const parts = { ...partsOf(table), relation, distinct: '' };
    if (table.key !== null && !(file && shared.includes(file)))
      await sql.run(statement('load_state', { ...parts, condition: `${known} AND ${parts.whole}` }));
    // A file has rows that were changed meanwhile, too: they go when the load is complete.
    if (!file) await sql.run(statement('load_log', { ...parts, condition: known }), { kind: 'R', mark: LOADED_SEQ, batch_id: batchId });
    if (lossy) await noteLosses(sql, load, relation, known);
  }
  await addFiles(sql, table, files, shared);
}

/** A load and the last of its rows. */
export interface LastPart {
  readonly load: OpenLoad;
  readonly read: readonly ReadPart[];
}

/**
 * The last rows of loads, and show what was loaded. Rows that were changed meanwhile are not the load's: of when they are it can't say.
 * Most tables of many are small, and nobody changes them meanwhile: for such a one nothing is asked for itself.
 */
export async function completeFills(sql: Sql, parts: readonly LastPart[]): Promise<{ missing: number; state: number }[]> {
  const loads = parts.map(({ load }) => load);
  const concerned = await findConcerned(sql, loads);
  for (const { load, read } of parts) {
    const changed = load.table.key !== null && concerned.has(load.table.id);
    if (changed) await makeChanged(sql, load);
    await fill(sql, load, read, changed);
    if (!changed) continue;
    const { changes, op, batch } = partsOf(load.table);
    const same_key = sameKey(load.table, 'c', 'l');
    await sql.run(statement('load_superseded', { changes, op, batch, same_key }), { batch_id: load.batchId });
  }
  const counts = await countRows(sql, parts, concerned);
  const shown = loads.map(({ table }): LakeTable => ({ ...table, held: undefined }));
  for (const [position, { table }] of loads.entries()) {
    const now = shown[position] as LakeTable;
    if (keysOf(table).length > 0) {
      await sql.run(`DROP TABLE IF EXISTS ${full(placesOf(now).state)}`);
      await sql.run(`ALTER TABLE ${partsOf(table).state} RENAME TO ${ident(placesOf(now).state.name)}`);
    }
    await makeHistory(sql, now);
  }
  await register(sql, shown);
  return counts;
}

/** How many rows each load has brought to the typed log, and how many its state has, in one statement; none are asked of where there can be none. */
async function countRows(
  sql: Sql,
  parts: readonly LastPart[],
  concerned: ReadonlySet<number>,
): Promise<{ missing: number; state: number }[]> {
  const counted = parts.map(({ load: { table, batchId, done }, read }, position) => {
    if (done.size === 0 && read.every(({ rows }) => rows === 0) && !concerned.has(table.id)) return undefined;
    const { changes, state, op, batch } = partsOf(table);
    const ofState = table.key === null ? '0' : `(SELECT count(*) FROM ${state})`;
    return `SELECT ${position} AS position, (SELECT count(*) FROM ${changes} WHERE ${batch} = ${batchId} AND ${op} = 'R') AS missing, ${ofState} AS state`;
  });
  const wanted = counted.filter((one) => one !== undefined);
  const rows = wanted.length === 0 ? [] : await sql.rows(wanted.join(' UNION ALL '));
  const found = new Map(rows.map((row) => [Number(row.position), { missing: Number(row.missing), state: Number(row.state) }]));
  return parts.map((_, position) => found.get(position) ?? { missing: 0, state: 0 });
}
