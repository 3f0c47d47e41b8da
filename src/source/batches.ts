import type { Readable } from 'node:stream';
import type { Batch, Capture, Contents, Missed, PausedSpan, SourceIdentity } from '../model/batch.ts';
import { SluiceError } from '../model/error.ts';
import { parseSourceColumns } from '../model/source-type.ts';
import type { Evolve, Name, SourceTable } from '../model/table.ts';
import type { BatchReader, Source } from '../pipeline/ports.ts';
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
  readonly #bufferBytes = statement('buffer_bytes');
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
    const query = this.#stage.replaceAll('{batch}', id);
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

  async look(): Promise<{ pending: boolean; sentinel: boolean }> {
    return one(await this.#sql.unsafe<{ pending: boolean; sentinel: boolean }[]>(this.#look));
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

  async bufferBytes(): Promise<number> {
    return one(await this.#sql.unsafe<{ bytes: number }[]>(this.#bufferBytes)).bytes;
  }

  async captures(): Promise<Capture[]> {
    const rows = await this.#sql.unsafe<Capture[]>(statement('captures'));
    return rows.map((row) => ({ ...row }));
  }

  async pause(ids: readonly number[]): Promise<void> {
    await this.#sql`SELECT audit.pause(${[...ids]}::int4[])`;
  }

  async resume(ids: readonly number[]): Promise<void> {
    await this.#sql`SELECT audit.resume(${[...ids]}::int4[])`;
  }

  async pausedSpans(): Promise<PausedSpan[]> {
    const rows = await this.#sql<PausedSpan[]>`
      SELECT epoch, to_json(paused_at AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS from, to_json(resumed_at AT TIME ZONE 'UTC') #>> '{}' || 'Z' AS to,
        table_ids AS tables, after_xid::text AS "afterXid"
      FROM audit.paused_spans()`;
    return rows.map((row) => ({ ...row }));
  }

  async forgetPause({ afterXid }: PausedSpan): Promise<void> {
    await this.#sql`SELECT audit.forget_pause(${afterXid}::xid8)`;
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

function one<T>(rows: readonly T[]): T {
  const [row] = rows;
  if (row === undefined)
    throw new SluiceError('not_installed', 'Schema audit of pg-sluice has lost its rows', 'Run `sluice install` again.');
  return row;
}
