import { SluiceError } from '../model/error.ts';
import type { LakeTable } from '../model/table.ts';
import type { Sql } from './engine.ts';
import { inLake, placesOf } from './places.ts';
import { readRegistry } from './registry.ts';
import { ident, literal } from './sql.ts';
import { statement } from './statement.ts';
import { partsOf } from './table-sql.ts';

/** The name under which the lake itself is attached while `lake` is what it was. */
export const NOW = 'lake_now';

/**
 * Make `lake` a database of views that show all tables as of the last cut at or before `at`; the lake itself is attached as NOW.
 * A table without a key has a typed log but no rows to show.
 * @param snapshots whether the lake keeps snapshots of its tables, as a DuckLake does
 * @throws SluiceError query_time for what is no time, or one before the lake begins
 */
export async function attachAsOf(sql: Sql, at: string, { snapshots }: { readonly snapshots: boolean }): Promise<void> {
  const [cut] = await sql.rows(statement('cut_at', { lake: NOW }), { at }).catch(() => {
    throw new SluiceError(
      'query_time',
      `"${at}" is no time`,
      "Write it as '2026-03-03 12:00' (UTC) or with a zone: '2026-03-03T12:00:00+01:00'.",
    );
  });
  if (!cut || cut.batch_id === null) {
    throw new SluiceError(
      'query_time',
      `The lake holds nothing of ${at}: it begins at ${cut?.first ?? 'its first batch'}`,
      'Ask for a later time.',
    );
  }
  const last = Number(cut.batch_id);
  await sql.run("ATTACH ':memory:' AS lake");
  await sql.run('CREATE SCHEMA lake.sluice');
  await sql.run(`CREATE VIEW lake.main.cdc AS FROM ${NOW}.main.cdc WHERE batch_id <= ${last}`);
  for (const table of ['batch', 'batch_table', 'loss', 'schema_change', 'schema_history']) {
    await sql.run(`CREATE VIEW lake.sluice.${table} AS FROM ${NOW}.sluice.${table} WHERE batch_id <= ${last}`);
  }
  await sql.run(`CREATE VIEW lake.sluice.gap AS FROM ${NOW}.sluice.gap WHERE to_ts <= ${literal(String(cut.cut))}::TIMESTAMPTZ`);
  const version = snapshots ? await versionOf(sql, last) : undefined;
  const changed = new Set(
    (await sql.rows(`SELECT DISTINCT table_schema, table_name FROM ${NOW}.sluice.schema_change WHERE batch_id > ${last}`)).map((row) =>
      inLake({ schema: String(row.table_schema), name: String(row.table_name) }),
    ),
  );
  const parts = { lake: NOW, last: String(last), cut: `${literal(String(cut.cut))}::TIMESTAMPTZ` };
  const loads = await sql.rows(statement('loads_at', parts));
  for (const table of await readRegistry(sql, NOW)) {
    if (table.columns.length === 0) continue;
    const load = loads.find((row) => Number(row.table_id) === table.id);
    const hidden = load?.hidden === true || (table.held !== undefined && !table.held.shown && table.held.since <= last);
    // A snapshot has the columns of then.
    const kept = changed.has(inLake(table.lake)) || load?.stale === true ? undefined : version;
    const without = load === undefined || load.without === null ? [] : (JSON.parse(String(load.without)) as number[]);
    await makeViews(sql, { ...table, held: undefined }, { last, cut: String(cut.cut), version: kept, without, hidden });
  }
}

/** The DuckLake snapshot of a batch; undefined once it has expired. */
async function versionOf(sql: Sql, last: number): Promise<number | undefined> {
  const [range] = await sql.rows(`SELECT min(snapshot_id) AS first, max(snapshot_id) AS newest FROM ducklake_snapshots(${literal(NOW)})`);
  const parts = { catalog: literal(NOW), first: String(range?.first), newest: String(range?.newest), last: String(last) };
  const [found] = await sql.rows(statement('version_of', parts));
  return found === undefined || found.version === null ? undefined : Number(found.version);
}

/** What is to be shown of a table: see loads_at.sql. */
interface Shown {
  readonly last: number;
  readonly cut: string;
  readonly version: number | undefined;
  readonly without: readonly number[];
  readonly hidden: boolean;
}

async function makeViews(sql: Sql, table: LakeTable, { last, cut, version, without, hidden }: Shown): Promise<void> {
  const { state, changes, history } = placesOf(table);
  for (const { schema } of [state, changes, history]) await sql.run(`CREATE SCHEMA IF NOT EXISTS lake.${ident(schema)}`);
  const now = `${NOW}.${inLake(changes)}`;
  const { _batch, valid_from: from, valid_to: to, is_current: current } = table.own;
  const counts = without.length === 0 ? '' : ` AND ${ident(_batch)} NOT IN (${without.join(', ')})`;
  await sql.run(`CREATE VIEW lake.${inLake(changes)} AS FROM ${now} WHERE ${ident(_batch)} <= ${last}${counts}`);
  // As for anybody who looked then.
  if (table.key === null || hidden) return;
  const parts = partsOf(table);
  const kept =
    version !== undefined &&
    `CREATE VIEW ${parts.state} AS SELECT ${parts.columns} FROM ${NOW}.${inLake(state)} AT (VERSION => ${version})`;
  // The state that a snapshot has kept is read in a fifth of the time. It has none of a table that was gone by then.
  const fromSnapshot =
    kept &&
    (await sql.run(kept).then(
      () => true,
      () => false,
    ));
  if (!fromSnapshot) await sql.run(statement('as_of', { ...parts, view: parts.state, last: String(last) }));
  const ended = `${ident(to)} <= ${literal(cut)}::TIMESTAMPTZ`;
  await sql.run(
    `CREATE VIEW lake.${inLake(history)} AS SELECT * REPLACE (CASE WHEN ${ended} THEN ${ident(to)} END AS ${ident(to)}, coalesce(NOT ${ended}, true) AS ${ident(current)})
     FROM ${NOW}.${inLake(history)} WHERE ${ident(from)} <= ${literal(cut)}::TIMESTAMPTZ`,
  );
}
