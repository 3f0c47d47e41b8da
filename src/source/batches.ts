import type { Readable } from 'node:stream';
import type { Batch, Contents, Missed, SourceIdentity } from '../model/batch.ts';
import { SluiceError } from '../model/error.ts';
import type { Chunk, Leaf, LoadMode, Places, ReadColumn } from '../model/load.ts';
import { parseSourceColumns } from '../model/source-type.ts';
import type { Evolve, Name, SourceTable } from '../model/table.ts';
import type { BatchReader, LoadProgress, LoadRequest, Source } from '../pipeline/ports.ts';
import { connect, type Sql } from './connect.ts';
import { LEADERSHIP } from './leadership.ts';
import { statement } from './sql.ts';

export interface SourceOptions {
  readonly url: string;
  /** How long a swap may make a writer wait, and how long any statement may wait for a lock, in milliseconds. */
  readonly lockTimeoutMs: number;
  /** What the user calls a table in the lake; undefined: as here. */
  readonly rename?: (table: Name) => Name | undefined;
}

interface TableRow {
  table_id: number;
  relid: string | null;
  schema: string;
  name: string;
  columns: unknown;
  key: number[] | null;
  filled: Record<string, unknown>;
  partitions: SourceTable['partitions'];
  options: { types?: Record<string, string>; evolve?: Evolve };
}

interface MissedRow {
  missed: number;
  last_missed_cut: string | null;
  epoch_start: string;
  last_cut: string | null;
  last_ordinal: number;
  now: string;
}

/**
 * The source's side of the batch protocol. Its functions in schema audit hold the invariants; this class only calls them.
 * Leadership lives on a connection of its own, so that a lost session is a lost lock and never a silent reconnect.
 */
export class PostgresSource implements Source, AsyncDisposable {
  readonly #url: string;
  readonly #sql: Sql;
  readonly #leader: Sql;
  readonly #lockTimeoutMs: number;
  readonly #rename: NonNullable<SourceOptions['rename']>;
  readonly #look = statement('look');
  readonly #openBatch = statement('open_batch');
  readonly #contents = statement('contents');
  readonly #stage = statement('stage');
  readonly #tables = statement('tables');
  readonly #catalogue = statement('catalogue');
  #leaderPid: number | undefined;

  constructor({ url, lockTimeoutMs, rename = () => undefined }: SourceOptions) {
    this.#sql = connect({ url, applicationName: 'sluice', lockTimeoutMs });
    this.#leader = connect({ url, applicationName: 'sluice leader', max: 1 });
    this.#lockTimeoutMs = lockTimeoutMs;
    this.#url = url;
    this.#rename = rename;
  }

  reader({ id }: Batch): BatchReader {
    // A uuid of the source's own making: nothing to quote.
    return this.#readerOf(this.#stage.replaceAll('{batch}', id));
  }

  #readerOf(query: string): BatchReader {
    const sql = this.#sql;
    return {
      dsn: this.#url,
      query,
      copyCsv: (): Promise<Readable> => sql.unsafe(`COPY (${query}) TO STDOUT (FORMAT csv)`).readable(),
    };
  }

  async identity(): Promise<SourceIdentity> {
    const rows = await this.#sql.unsafe<{ system_identifier: string; timeline: number; database: string; epoch: string }[]>(
      statement('identity'),
    );
    const row = one(rows);
    return { systemIdentifier: row.system_identifier, timeline: row.timeline, database: row.database, epoch: row.epoch };
  }

  async lead(): Promise<boolean> {
    const [row] = await this.#leader<{ led: boolean; pid: number }[]>`
      SELECT pg_backend_pid() AS pid, CASE WHEN pg_backend_pid() = ${this.#leaderPid ?? 0} THEN true ELSE pg_try_advisory_lock(${LEADERSHIP.toString()}::int8) END AS led`;
    this.#leaderPid = row?.led ? row.pid : undefined;
    return row?.led === true;
  }

  async assertLeading(): Promise<void> {
    const [row] = await this.#leader<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
    if (this.#leaderPid !== undefined && row?.pid === this.#leaderPid) return;
    this.#leaderPid = undefined;
    throw new SluiceError('leadership_lost', 'The session that held the leadership is gone', 'None: the daemon competes for it again.');
  }

  async look(): Promise<{ pending: boolean; sentinel: boolean; requested: boolean }> {
    return one(await this.#sql.unsafe<{ pending: boolean; sentinel: boolean; requested: boolean }[]>(this.#look));
  }

  async openBatch(): Promise<Batch | undefined> {
    const [row] = await this.#sql.unsafe<Batch[]>(this.#openBatch);
    return row && { ...row };
  }

  swap(): Promise<Batch | undefined> {
    return this.#take('audit.swap');
  }

  move(): Promise<Batch | undefined> {
    return this.#take('audit.move');
  }

  async settle(batch: Batch): Promise<void> {
    await this.#sql`SELECT audit.settle(${batch.id}::uuid)`;
  }

  async contents(): Promise<Contents> {
    return one(await this.#sql.unsafe<{ contents: Contents }[]>(this.#contents)).contents;
  }

  async finish(batch: Batch, rows: number): Promise<void> {
    await this.#sql`SELECT audit.finish(${batch.id}::uuid, ${rows}::int8, ${this.#lockTimeoutMs}::int4)`;
  }

  async lostSpan(): Promise<{ epoch: string; from: string; to: string } | undefined> {
    const [row] = await this.#sql<{ epoch: string; from: string; to: string }[]>`
      SELECT epoch, to_json(lost_from AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS from, to_json(lost_to AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS to FROM audit.lost_span()`;
    return row && { ...row };
  }

  async tables(ids: readonly number[]): Promise<SourceTable[]> {
    if (ids.length === 0) return [];
    const { tables } = one(await this.#sql.unsafe<{ tables: TableRow[] }[]>(this.#tables, [[...ids]]));
    return tables.map(({ table_id, relid, schema, name, columns, key, filled, partitions, options }) => ({
      id: table_id,
      relid,
      schema,
      name,
      columns: parseSourceColumns(columns),
      key,
      filled,
      partitions,
      types: options.types ?? {},
      evolve: options.evolve ?? 'follow',
      rename: this.#rename({ schema, name }),
      loads: true,
    }));
  }

  async refresh(ids: readonly number[]): Promise<void> {
    // One row, for the driver's sake: see sql/source/tables.sql.
    if (ids.length > 0) await this.#sql`SELECT count(audit.refresh(t.id)) FROM unnest(${[...ids]}::int4[]) AS t (id)`;
  }

  async catalogue(): Promise<{ versions: ReadonlyMap<number, string>; cut: string }> {
    const rows = await this.#sql.unsafe<{ table_id: number; version: string; cut: string }[]>(this.#catalogue);
    return { versions: new Map(rows.map(({ table_id, version }) => [table_id, version])), cut: rows[0]?.cut ?? '' };
  }

  async checkTriggers(ids: readonly number[]): Promise<{ id: number; schema: string; name: string; state: 'off' | 'load' }[]> {
    if (ids.length === 0) return [];
    // One row, for the driver's sake: see sql/source/tables.sql.
    const [row] = await this.#sql<{ found: { id: number; schema: string; name: string; state: 'off' | 'load' }[] }[]>`
      SELECT coalesce(json_agg(c), '[]') AS found FROM audit.check_triggers(${[...ids]}::int4[]) c`;
    return row?.found ?? [];
  }

  async missed(lastOrdinal: number): Promise<Missed> {
    const row = one(await this.#sql.unsafe<MissedRow[]>(statement('missed'), [lastOrdinal]));
    return {
      missed: row.missed,
      lastMissedCut: row.last_missed_cut,
      epochStart: row.epoch_start,
      lastCut: row.last_cut,
      lastOrdinal: row.last_ordinal,
      now: row.now,
    };
  }

  async leaves(tableId: number): Promise<Leaf[]> {
    const rows = await this.#sql.unsafe<Leaf[]>(statement('pages'), [tableId]);
    return rows.map((row) => ({ ...row }));
  }

  rows(tableId: number, columns: readonly ReadColumn[], of: Chunk | Places): BatchReader {
    const ways = literal(JSON.stringify(Object.fromEntries(columns.map(({ column, way }) => [column.attnum, way]))));
    const range =
      'places' in of ? `0, 0, ${literal(`{${of.places.map((place) => `"${place}"`).join(',')}}`)}` : `${of.firstPage}, ${of.pages}`;
    const arrives = columns.flatMap((column) => column.arrives).map((type, index) => `, c${index} ${type}`);
    return this.#readerOf(`SELECT * FROM audit.read_rows(${tableId}, ${of.relid}, ${ways}, ${range}) AS r (place text${arrives.join('')})`);
  }

  async now(): Promise<{ at: string; horizon: string }> {
    const rows = await this.#sql<{ at: string; horizon: string }[]>`
      SELECT to_json(clock_timestamp() AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS at, pg_snapshot_xmin(pg_current_snapshot())::text AS horizon`;
    return { ...one(rows) };
  }

  async requestedLoads({ begun } = { begun: false }): Promise<LoadRequest[]> {
    const rows = await this.#sql<{ id: string; tableId: number; mode: LoadMode; sample: number | null }[]>`
      SELECT load_id AS id, table_id AS "tableId", mode, sample FROM audit.load WHERE done_at IS NULL AND (began_at IS NOT NULL) = ${begun} ORDER BY requested_at`;
    return rows.map((row) => ({ ...row, gapId: null }));
  }

  async requestDueVerify(intervalMs: number): Promise<void> {
    await this.#sql.unsafe(statement('due_verify'), [intervalMs]);
  }

  async reportLoad(id: string, progress: LoadProgress): Promise<void> {
    await this.#sql`SELECT audit.report_load(${id}::uuid, ${JSON.stringify(progress)}::text::jsonb)`;
  }

  async beginEpoch(): Promise<void> {
    await this.#sql`SELECT audit.begin_epoch()`;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#sql.end({ timeout: 1 }), this.#leader.end({ timeout: 1 })]);
  }

  async #take(procedure: 'audit.swap' | 'audit.move'): Promise<Batch | undefined> {
    return this.#sql.begin(async (tx) => {
      const [taken] = await tx.unsafe<{ id: string | null }[]>(`SELECT id FROM ${procedure}($1)`, [this.#lockTimeoutMs]);
      if (!taken?.id) return undefined;
      const [row] = await tx.unsafe<Batch[]>(this.#openBatch);
      return row && { ...row };
    });
  }
}

/** A string literal of PostgreSQL, for queries that go to other readers and take no parameters. */
function literal(text: string): string {
  return `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`;
}

function one<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined)
    throw new SluiceError('not_installed', 'Schema audit of pg-sluice has lost its rows', 'Run `sluice install` again.');
  return row;
}
