import type { Truncate } from '../model/batch.ts';
import type { Evolution, SchemaChange } from '../model/evolution.ts';
import type { LakeTable } from '../model/table.ts';
import { boundCondition } from './bound.ts';
import { alterHistory, alterTable } from './ddl.ts';
import type { Sql } from './engine.ts';
import { requestLoads } from './load-sql.ts';
import { full, list, placesOf } from './places.ts';
import { register } from './registry.ts';
import type { Row } from './rows.ts';
import { ident } from './sql.ts';
import { statement } from './statement.ts';
import { namesOf, partsOf, sameKey, sameValues } from './table-sql.ts';
import { broughtBy, goesStraight, type ToType, type Typed, typeChanges, typedRelation, typeIntoLog } from './typing.ts';

/** What one table gets from a batch. */
export interface TableBatch {
  readonly evolution: Evolution;
  /** Absent for a table that never was known, or has no changes here. */
  readonly toType?: ToType;
  readonly truncates: readonly Truncate[];
  /** Partitions whose condition DuckDB does not understand, as a hash: their rows stay in the state, and sluice.schema_change says so. */
  readonly unable: readonly Truncate[];
  /** Another table has had this id so far, and gets a free one. */
  readonly displaced?: { readonly id: number; readonly free: number };
}

/**
 * Schema, typed log and state of every table of the batch, in the lake's transaction. What is noted of the tables is one statement for all of them: within a
 * transaction each statement on a table costs more than the one before, so of 300 new tables the notes alone took 16 s, one by one.
 */
export async function applyTables(sql: Sql, batchId: number, tables: readonly TableBatch[]): Promise<void> {
  for (const { displaced } of tables) {
    if (!displaced) continue;
    for (const table of ['"table"', 'batch_table', 'load']) {
      await sql.run(`UPDATE lake.sluice.${table} SET table_id = ${displaced.free} WHERE table_id = ${displaced.id}`);
    }
  }
  // Loads go with the table, or are for the one that has come in its place.
  for (const { evolution } of tables) {
    const { replaces, table } = evolution;
    if (replaces === undefined || replaces === table.id) continue;
    await sql.run(`UPDATE lake.sluice.load SET table_id = ${table.id} WHERE table_id = ${replaces}`);
  }
  // What is gone first: another table may have come in its place.
  const ordered = [...tables].sort((a, b) => Number(b.evolution.table.dropped) - Number(a.evolution.table.dropped));
  await noteChanges(sql, batchId, ordered);
  await noteForLoads(sql, batchId, ordered);
  const brought: Row[] = [];
  for (const one of ordered) {
    const row = await applyTable(sql, batchId, one);
    if (row !== undefined) brought.push(row);
    // One table's typed changes in memory at a time.
    if (one.toType) await sql.run(`DROP TABLE IF EXISTS ${typedRelation(one.evolution.table)}`);
  }
  if (brought.length > 0) await sql.run(statement('batch_table'), { batch_id: batchId, tables: JSON.stringify(brought) });
  const evolved = ordered.map(({ evolution }) => evolution).filter((one) => one.changes.length > 0 || one.replaces !== undefined);
  if (evolved.length > 0) {
    // Text within the JSON: parsed as a part of it the numbers in it would be written anew.
    const evolutions = evolved.map((one, position) => ({ position, table_id: one.table.id, evolution: JSON.stringify(one) }));
    await sql.run(statement('schema_history'), { batch_id: batchId, evolutions: JSON.stringify(evolutions) });
  }
  const replaced = evolved.flatMap(({ replaces }) => replaces ?? []);
  if (replaced.length > 0) await sql.run(`DELETE FROM lake.sluice."table" WHERE table_id IN (${replaced.join(', ')})`);
  await register(
    sql,
    evolved.map(({ table, was }) => ({
      ...table,
      ...(was && { before: { batch: batchId, columns: was.columns } }),
      ...(table.held?.since === 0 && { held: { ...table.held, since: batchId } }),
    })),
  );
}

/** Returns its row of sluice.batch_table, if it gets one. */
async function applyTable(sql: Sql, batchId: number, batch: TableBatch): Promise<Row | undefined> {
  const { evolution, toType } = batch;
  const { table } = evolution;
  await alterTable(sql, evolution);
  await alterHistory(sql, evolution);
  const typed = toType && (await typeBatch(sql, batchId, batch, toType));
  const grown = await applyChanges(sql, batchId, batch, typed);
  if (table.dropped || !typed) return undefined;
  const brought = { ...(typed.brought ?? (await broughtBy(sql, table, typed.relation))), table_id: table.id, state_rows: grown };
  if (typed.losses.length === 0) return brought;
  await sql.run(statement('losses'), {
    batch_id: batchId,
    table_schema: table.lake.schema,
    table_name: table.lake.name,
    losses: JSON.stringify(typed.losses),
  });
  return brought;
}

/** Why a table has to be loaded anew after this batch, in the words of sluice.schema_change. */
function incompleteBy({ evolution: { changes }, toType, unable }: TableBatch): string[] {
  const why = unable.map(
    ({ partition }) =>
      `partition ${partition} was truncated, detached or dropped, and DuckDB does not understand its condition: its rows stay until the table is loaded anew`,
  );
  if (toType && changes.some(({ change }) => change === 'key_changed')) {
    why.push(
      'the key was replaced while changes waited: which of them the old key told apart is not known, so rows may be missing or stale',
    );
  }
  return why;
}

async function noteChanges(sql: Sql, batchId: number, tables: readonly TableBatch[]): Promise<void> {
  const changes = tables.flatMap((batch) => {
    const { table, changes } = batch.evolution;
    const place = { table_schema: table.lake.schema, table_name: table.lake.name };
    return [
      ...changes.map((change) => ({ ...place, ...described(change) })),
      ...incompleteBy(batch).map((detail) => ({ ...place, change: 'needs_load', column_name: null, detail })),
    ];
  });
  if (changes.length > 0) await sql.run(statement('schema_change'), { batch_id: batchId, changes: JSON.stringify(changes) });
}

function described(change: SchemaChange): { change: string; column_name: string | null; detail: string | null } {
  const column = 'column' in change ? change.column.name : null;
  const from =
    'from' in change
      ? typeof change.from === 'string'
        ? change.from
        : change.change === 'type_changed'
          ? change.from.lakeType
          : change.from.name
      : null;
  const to = change.change === 'type_changed' ? ` to ${change.column.lakeType}` : '';
  const detail = 'partition' in change ? change.partition.name : from === null ? null : `from ${from}${to}`;
  return { change: change.change, column_name: column, detail };
}

/** What a batch means for loads of its tables: what one at work has read may not be true any more, and rows may have changed that no trigger saw. */
async function noteForLoads(sql: Sql, batchId: number, tables: readonly TableBatch[]): Promise<void> {
  const idsOf = (batches: readonly TableBatch[]) => batches.map(({ evolution }) => evolution.table.id);
  const disturbed = tables.filter(({ evolution, truncates, unable }) => truncates.length + unable.length + evolution.changes.length > 0);
  if (disturbed.length > 0) await sql.run(statement('load_disturb'), { table_ids: JSON.stringify(idsOf(disturbed)), batch_id: batchId });
  const present = tables.filter(({ evolution }) => !evolution.table.dropped);
  // Whatever is asked for fills a state that is held.
  const held = present.filter(({ evolution }) => evolution.table.held && evolution.changes.length > 0);
  const open = held.length > 0 ? await sql.rows('SELECT table_id FROM lake.sluice.load WHERE done_ts IS NULL') : [];
  const asked = new Set(open.map(({ table_id }) => Number(table_id)));
  // ALTER TYPE … USING computes values anew.
  const unseen = present.filter(
    (batch) =>
      !batch.evolution.table.held &&
      (incompleteBy(batch).length > 0 ||
        batch.evolution.changes.some(({ change }) => change === 'needs_load' || change === 'type_changed')),
  );
  await requestLoads(sql, [
    ...idsOf(held)
      .filter((id) => !asked.has(id))
      .map((tableId) => ({ tableId, mode: 'fill' as const })),
    ...idsOf(unseen).map((tableId) => ({ tableId, mode: 'compare' as const })),
  ]);
}

function typeBatch(sql: Sql, batchId: number, { evolution, truncates }: TableBatch, toType: ToType): Promise<Typed> {
  // What a TRUNCATE or a change of the key takes out of the state is logged under the same batch, and must not be taken for a change.
  const plain = truncates.length === 0 && evolution.changes.every(({ change }) => change === 'table_added');
  if (!plain || !goesStraight(evolution, toType)) return typeChanges(sql, evolution, toType);
  return typeIntoLog(sql, batchId, full(placesOf(evolution.table).changes), evolution, toType);
}

/**
 * One table's changes into its typed log and its state, which have their shape already. Returns by how many rows the state has grown.
 * @param replayed the staged rows are those of stage_logged.sql: they come from the log, and know their batch
 */
export async function applyChanges(
  sql: Sql,
  batchId: number,
  { evolution, truncates }: TableBatch,
  typed: Typed | undefined,
  { replayed = false } = {},
): Promise<number> {
  const { table, changes } = evolution;
  if (table.dropped && changes.length === 0) return 0;
  const replaced = changes.some(({ change }) => change === 'table_replaced');
  const log = full(placesOf(table).changes);
  const { _op, _seq, _xid, _ts, _batch, _context } = table.own;
  const own = ownColumns(table);
  const from = replayed ? { seq: 's.seq', batch: 's.batch_id' } : { seq: 's.cdc_seq', batch: String(batchId) };
  if (replaced && evolution.was && !evolution.was.dropped) {
    await sql.run(statement('ended', { changes: log, own }), { batch_id: batchId, table_id: evolution.was.id });
  }
  if (typed && !typed.logged) {
    const columns = [_op, _xid, _ts, ...namesOf(table)];
    const parts = {
      changes: log,
      into: `${list([...columns, _seq, _batch])}${typed.context ? `, ${ident(_context)}` : ''}`,
      columns: `${list(columns, 't.')}, ${replayed ? from.seq : `t.${ident(_seq)}`}, ${from.batch}${typed.context ? ', s.context' : ''}`,
      typed: typed.relation,
      with_stage: replayed || typed.context ? `JOIN temp.stage AS s ON s.cdc_seq = t.${ident(_seq)}` : '',
    };
    await sql.run(statement('typed_log', parts));
  }
  const whole = truncates.filter(({ bound }) => bound === null);
  if (whole.length > 0) await sql.run(statement('truncated', { changes: log, own, ...from }), { table_id: table.id });
  if (table.dropped) {
    await sql.run(statement('ended', { changes: log, own }), { batch_id: batchId, table_id: table.id });
    return 0;
  }
  return table.key === null ? 0 : applyState(sql, batchId, evolution, typed, truncates);
}

/** Returns by how many rows the state has grown. */
async function applyState(
  sql: Sql,
  batchId: number,
  { table, was, changes }: Evolution,
  typed: Typed | undefined,
  truncates: readonly Truncate[],
): Promise<number> {
  const parts = partsOf(table);
  const { state, seq } = parts;
  const same = sameKey(table, 't', 'l');
  const truncated = truncates.findLast(({ bound }) => bound === null)?.seq ?? null;
  let grown = 0;
  if (truncated !== null) grown -= await sql.run(`DELETE FROM ${state}`);
  if (typed) {
    const from = { ...parts, typed: typed.relation };
    const [last] = await sql.rows(statement('typed_last', from), { truncated });
    // As many keys as changes: each is the last of its key.
    const every = typed.brought !== undefined && Number(last?.Count) === Number(typed.brought.changes);
    if (was && changes.some(({ change }) => change === 'key_changed')) grown -= await removeByOldKey(sql, batchId, was, table, typed);
    grown -= await sql.run(statement('state_delete', { state, same_key: same }));
    grown += await sql.run(
      statement('state_insert', { ...from, with_last: every ? '' : `SEMI JOIN temp.typed_last AS l ON t.${seq} = l.${seq}` }),
    );
  }
  for (const { bound, seq: at } of truncates) {
    if (bound === null) continue;
    const later = typed ? ` AND NOT EXISTS (FROM temp.typed_last AS l WHERE ${same} AND l.${seq} > ${at})` : '';
    const gone = `${boundCondition(bound, table.columns)}${later}`;
    grown -= await removeLogged(sql, batchId, table, gone, at);
  }
  return grown;
}

/**
 * The key has changed: rows that waiting changes mean by the old key go, with a D in the typed log where the new key is another one.
 * Returns how many.
 */
async function removeByOldKey(sql: Sql, batchId: number, was: LakeTable, table: LakeTable, typed: Typed): Promise<number> {
  const names = (was.key ?? []).map((attnum) => table.columns.find((column) => column.attnum === attnum)?.name);
  const old = names.filter((name) => name !== undefined);
  // A key whose column is gone tells nothing any more.
  if (old.length === 0 || old.length < names.length) return 0;
  await sql.run(statement('typed_last_before', { typed: typed.relation, key: list(old), seq: ident(table.own._seq) }));
  const gone = `EXISTS (FROM ${typed.relation} AS l WHERE ${sameValues(old, 't', 'l')})
    AND NOT EXISTS (FROM temp.typed_last AS l WHERE ${sameKey(table, 't', 'l')})`;
  return removeLogged(sql, batchId, table, gone, '0');
}

/** Take the rows `t` of the state for which `gone` holds, with a D each in the typed log. Returns how many. */
async function removeLogged(sql: Sql, batchId: number, table: LakeTable, gone: string, seq: string): Promise<number> {
  const { changes, state, columns } = partsOf(table);
  await sql.run(statement('remove_logged', { changes, state, own: ownColumns(table), columns, gone }), { seq, batch_id: batchId });
  return sql.run(`DELETE FROM ${state} AS t WHERE ${gone}`);
}

/** Our columns that every row of the typed log has. */
function ownColumns({ own: { _op, _seq, _xid, _ts, _batch } }: LakeTable): string {
  return list([_op, _seq, _xid, _ts, _batch]);
}
