import { Readable } from 'node:stream';
import type { Batch, Capture, Contents, FinishedBatch, SourceIdentity, Standing } from '../model/batch.ts';
import { SluiceError } from '../model/error.ts';
import type { PausedSpan } from '../model/gap.ts';
import type { Chunk, Leaf, LoadMode, Places, Reading } from '../model/load.ts';
import { parseSourceColumns } from '../model/source-type.ts';
import type { Evolve, Name, SourceTable } from '../model/table.ts';
import type { BatchReader, LoadProgress, LoadRequest, Look, Source } from '../pipeline/ports.ts';
import { arrayOf, Pool, type Sql, withName } from './connect.ts';
import { LEADERSHIP } from './leadership.ts';
import { sliced } from './slices.ts';
import { statement } from './sql.ts';

/** What sessions are called that read tables for loads, so that they can be told to give way. */
const READS = 'sluice load';

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

interface StandingRow {
  knows: boolean;
  newest: FinishedBatch | null;
  epoch_start: string;
  sentinel: boolean;
  now: string;
}

/**
 * The source's side of the batch protocol. Its functions in schema audit hold the invariants; this class only calls them.
 * Leadership lives on a connection of its own, so that a lost session is a lost lock and never a silent reconnect.
 */
export class PostgresSource implements Source, AsyncDisposable {
  readonly #url: string;
  readonly #pool: Pool;
  readonly #leaderPool: Pool;
  readonly #lockTimeoutMs: number;
  readonly #rename: NonNullable<SourceOptions['rename']>;
  readonly #openBatch = statement('open_batch');
  readonly #look = statement('look').replace('{open_batch}', () => this.#openBatch);
  readonly #takeBatch = statement('take');
  readonly #changes = statement('changes');
  readonly #stage = statement('stage').replace('\n{changes}', () => `\n${this.#changes}`);
  readonly #contents = statement('contents').replace(
    '\n{few})',
    () => `\n${statement('few').replace('({changes})', () => `(${this.#changes})`)})`,
  );
  readonly #tables = statement('tables');
  readonly #bufferBytes = statement('buffer_bytes');
  readonly #catalogue = statement('catalogue');
  readonly #giveWay = statement('give_way');
  #leaderPid: number | undefined;

  constructor({ url, lockTimeoutMs, rename = () => undefined }: SourceOptions) {
    this.#pool = new Pool({ url, applicationName: 'sluice', lockTimeoutMs });
    this.#leaderPool = new Pool({ url, applicationName: 'sluice leader', max: 1 });
    this.#lockTimeoutMs = lockTimeoutMs;
    this.#url = url;
    this.#rename = rename;
  }

  reader({ id }: Batch): BatchReader {
    const query = ofBatch(this.#stage, id);
    return { ...this.#readerOf(query), slices: () => sliced(this.#sql, query) };
  }

  #readerOf(query: string): BatchReader {
    const sql = this.#sql;
    return {
      dsn: this.#url,
      query,
      copyCsv: () => copyOut(sql, query),
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
    const [row] = await this.#leader<{ led: boolean; pid: number; standby: boolean }[]>`
      SELECT pg_backend_pid() AS pid, pg_is_in_recovery() AS standby,
        CASE WHEN pg_backend_pid() = ${this.#leaderPid ?? 0} THEN true ELSE pg_try_advisory_lock(${LEADERSHIP.toString()}::int8) END AS led`;
    this.#leaderPid = row?.led ? row.pid : undefined;
    // It would give the lock, and refuse what comes next: to read an UNLOGGED table.
    if (row?.standby) {
      throw new SluiceError(
        'source_read_only',
        'The server is a standby',
        'Point source.url to the primary; after a failover this passes by itself.',
      );
    }
    return row?.led === true;
  }

  async assertLeading(): Promise<void> {
    const [row] = await this.#leader<{ pid: number }[]>`SELECT pg_backend_pid() AS pid`;
    if (this.#leaderPid !== undefined && row?.pid === this.#leaderPid) return;
    this.#leaderPid = undefined;
    throw new SluiceError('leadership_lost', 'The session that held the leadership is gone', 'None: the daemon competes for it again.');
  }

  async look(): Promise<Look> {
    const { open, ...found } = one(await this.#sql.unsafe<(Omit<Look, 'open'> & { open: Batch | null })[]>(this.#look));
    return { ...found, open: open ?? undefined };
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

  async contents({ id }: Batch): Promise<Contents> {
    const { contents, few } = one(
      await this.#sql.unsafe<{ contents: Omit<Contents, 'few'>; few: string | null }[]>(ofBatch(this.#contents, id)),
    );
    return { ...contents, few };
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
    const { tables } = one(await this.#sql.unsafe<{ tables: TableRow[] }[]>(this.#tables, [arrayOf(ids)]));
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
    if (ids.length > 0) await this.#sql`SELECT count(audit.refresh(t.id)) FROM unnest(${arrayOf(ids)}::int4[]) AS t (id)`;
  }

  async catalogue(): Promise<{ versions: ReadonlyMap<number, string>; cut: string }> {
    const rows = await this.#sql.unsafe<{ table_id: number; version: string; cut: string }[]>(this.#catalogue);
    return { versions: new Map(rows.map(({ table_id, version }) => [table_id, version])), cut: rows[0]?.cut ?? '' };
  }

  async checkTriggers(ids: readonly number[]): Promise<{ id: number; schema: string; name: string; state: 'off' | 'load' }[]> {
    if (ids.length === 0) return [];
    // One row, for the driver's sake: see sql/source/tables.sql.
    const [row] = await this.#sql<{ found: { id: number; schema: string; name: string; state: 'off' | 'load' }[] }[]>`
      SELECT coalesce(json_agg(c), '[]') AS found FROM audit.check_triggers(${arrayOf(ids)}::int4[]) c`;
    return row?.found ?? [];
  }

  async standing(batch: string | null): Promise<Standing> {
    const { knows, newest, epoch_start, sentinel, now } = one(await this.#sql.unsafe<StandingRow[]>(statement('standing'), [batch]));
    return { knows, newest, epochStart: epoch_start, sentinel, now };
  }

  async bufferBytes(): Promise<number> {
    return one(await this.#sql.unsafe<{ bytes: number }[]>(this.#bufferBytes)).bytes;
  }

  async captures(): Promise<Capture[]> {
    const rows = await this.#sql.unsafe<Capture[]>(statement('captures'));
    return rows.map((row) => ({ ...row }));
  }

  async pause(ids: readonly number[]): Promise<void> {
    await this.#sql`SELECT audit.pause(${arrayOf(ids)}::int4[])`;
  }

  async resume(ids: readonly number[]): Promise<void> {
    await this.#sql`SELECT audit.resume(${arrayOf(ids)}::int4[])`;
  }

  async pausedSpans(): Promise<PausedSpan[]> {
    const rows = await this.#sql<(Omit<PausedSpan, 'afterXid'> & { after_xid: string })[]>`
      SELECT epoch, to_json(paused_at AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS from, to_json(resumed_at AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS to,
        to_json(table_ids) AS tables, after_xid::text AS after_xid
      FROM audit.paused_spans()`;
    return rows.map(({ after_xid, ...span }) => ({ ...span, afterXid: BigInt(after_xid) }));
  }

  async forgetPause({ afterXid }: PausedSpan): Promise<void> {
    await this.#sql`SELECT audit.forget_pause(${afterXid.toString()}::xid8)`;
  }

  async leaves(tableIds: readonly number[]): Promise<ReadonlyMap<number, readonly Leaf[]>> {
    const found = one(
      await this.#sql.unsafe<{ leaves: (Leaf & { table_id: number })[] }[]>(statement('pages'), [arrayOf(tableIds)]),
    ).leaves;
    const leaves = new Map<number, Leaf[]>(tableIds.map((id) => [id, []]));
    for (const { table_id, ...leaf } of found) leaves.get(table_id)?.push(leaf);
    return leaves;
  }

  async rows(tableId: number, { columns, placed, checked }: Reading, of: Chunk | Places): Promise<BatchReader> {
    const ways = JSON.stringify(Object.fromEntries(columns.map(({ column, way }) => [column.attnum, way])));
    const odd = `{${checked.join(',')}}`;
    const dsn = withName(this.#url, READS);
    if ('pages' in of) {
      const [{ direct } = { direct: null }] = await this.#sql<{ direct: string | null }[]>`
        SELECT audit.direct_rows_sql(${tableId}, ${of.relid}::oid, ${ways}::text::jsonb, ${of.firstPage}, ${of.pages}, ${placed}, ${odd}::smallint[]) AS direct`;
      if (direct !== null) return { ...this.#readerOf(direct), dsn };
    }
    const range =
      'pages' in of ? `${of.firstPage}, ${of.pages}, NULL` : `0, 0, ${literal(`{${of.places.map((place) => `"${place}"`).join(',')}}`)}`;
    const arrives = columns.flatMap((column) => column.arrives).map((type, index) => `c${index} ${type}`);
    const all = [...(placed ? ['place text'] : []), ...arrives, ...(checked.length > 0 ? ['odd boolean'] : [])].join(', ');
    const call = `audit.read_rows(${tableId}, ${of.relid}, ${literal(ways)}, ${range}, ${placed}, '${odd}')`;
    return { ...this.#readerOf(`SELECT * FROM ${call} AS r (${all})`), dsn };
  }

  async giveWay(): Promise<number> {
    return one(await this.#sql.unsafe<{ cancelled: number }[]>(this.#giveWay, [READS])).cancelled;
  }

  async now(): Promise<string> {
    return one(await this.#sql<{ now: string }[]>`SELECT to_json(clock_timestamp() AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS now`).now;
  }

  async requestedLoads(): Promise<LoadRequest[]> {
    const rows = await this.#sql<{ id: string; tableId: number; mode: LoadMode; sample: number | null }[]>`
      SELECT load_id AS id, table_id AS "tableId", mode, sample FROM audit.load WHERE done_at IS NULL ORDER BY requested_at`;
    return rows.map((row) => ({ ...row, gapId: null }));
  }

  async requestDueVerify(intervalMs: number): Promise<void> {
    await this.#sql.unsafe(statement('due_verify'), [intervalMs]);
  }

  async reportLoads(progress: ReadonlyMap<string, LoadProgress>): Promise<void> {
    await this
      .#sql`SELECT count(audit.report_load(p.key::uuid, p.value)) FROM jsonb_each(${JSON.stringify(Object.fromEntries(progress))}::text::jsonb) p`;
  }

  async finished(below?: number): Promise<FinishedBatch[]> {
    return one(await this.#sql.unsafe<{ finished: FinishedBatch[] }[]>(statement('finished'), [below ?? null])).finished;
  }

  async beginEpoch(next: string): Promise<void> {
    await this.#sql`SELECT audit.begin_epoch(${next}::uuid)`;
  }

  async currentXid(): Promise<bigint> {
    // The snapshot's own upper end is one past the last transaction that has ended, and one that runs may be above it.
    return BigInt(one(await this.#sql<{ xid: string }[]>`SELECT pg_current_xact_id()::text AS xid`).xid);
  }

  async oldestXid(): Promise<bigint> {
    return BigInt(one(await this.#sql<{ xid: string }[]>`SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xid`).xid);
  }

  async advance(seq: string): Promise<boolean> {
    return one(await this.#sql<{ moved: boolean }[]>`SELECT audit.advance(${seq}::int8) AS moved`).moved;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.#pool.end(), this.#leaderPool.end()]);
  }

  get #sql(): Sql {
    return this.#pool.sql;
  }

  get #leader(): Sql {
    return this.#leaderPool.sql;
  }

  /** One statement, and so one transaction: where the connection breaks within a block, the driver writes its ROLLBACK to a socket that is gone. */
  async #take(procedure: 'audit.swap' | 'audit.move'): Promise<Batch | undefined> {
    const take = this.#takeBatch.replace('FROM {procedure}', `FROM ${procedure}`);
    const [row] = await this.#sql.unsafe<(Batch | { id: null })[]>(take, [this.#lockTimeoutMs]);
    return row === undefined || row.id === null ? undefined : { ...row };
  }
}

/** A statement for one batch. Its id is a uuid of the source's own making: nothing to quote. */
function ofBatch(text: string, id: string): string {
  return text.replaceAll('{batch}', id);
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

/**
 * The rows of a query as a stream. Where the server sends the beginning of a COPY and its failure in one packet (a lock not had within lock_timeout), the
 * driver destroys the stream before anybody who waits for it can listen, and nobody would: an uncaught exception. Such a failure rejects here.
 */
async function copyOut(sql: Sql, query: string): Promise<Readable> {
  // The driver hands the stream over by this method, and calls it again with a result at the end.
  const copy = sql.unsafe(`COPY (${query}) TO STDOUT (FORMAT csv)`) as ReturnType<Sql['unsafe']> & { resolve(value: unknown): void };
  const { resolve } = copy;
  copy.resolve = (value) => {
    if (value instanceof Readable) value.on('error', () => {});
    resolve(value);
  };
  const stream = await copy.readable();
  if (stream.errored !== null) throw stream.errored;
  return stream;
}
