import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../model/error.ts';
import type { Sql } from './connect.ts';
import { statement } from './sql.ts';

export interface TableName {
  readonly schema: string;
  readonly name: string;
}

export interface SourceTable extends TableName {
  /** The planner's estimate. */
  readonly rows: number;
  /** With indexes and partitions. */
  readonly bytes: number;
  readonly partitioned: boolean;
  /** Columns of the key; null: no key, the table can be logged but will have no current state. */
  readonly key: readonly string[] | null;
  readonly tracked: boolean;
  /** Why it can't be tracked, null if it can. */
  readonly refusal: string | null;
}

export interface TrackedTable extends TableName {
  readonly id: number;
  readonly key: readonly string[] | null;
  readonly capture: 'statement' | 'row';
  /** What the user should know of this table; null if there is nothing. */
  readonly notice: string | null;
}

/**
 * Tables of the database, whether schema audit is installed or not (before, `tracked` is false and nothing is refused yet).
 * Their sizes take a lock on each: so this gives up soon where the application holds one, rather than to make it wait for another.
 */
export async function listTables(sql: Sql, { lockTimeoutMs = 50 } = {}): Promise<SourceTable[]> {
  const [installed] = await sql<{ there: boolean }[]>`SELECT to_regprocedure('audit.key_of(regclass)') IS NOT NULL AS there`;
  const rows = await sql.begin(async (tx) => {
    await tx`SELECT set_config('lock_timeout', ${`${lockTimeoutMs}ms`}, true)`;
    return tx.unsafe<SourceTable[]>(statement(installed?.there ? 'list_tables' : 'list_tables_before_install'));
  });
  return rows.map((row) => ({ ...row }));
}

export interface RefusedTable extends TableName {
  /** Why it can't be tracked. */
  readonly refusal: string;
}

/** Views, partitions and other relations that `track` refuses. Needs schema audit. */
export async function listRefused(sql: Sql): Promise<RefusedTable[]> {
  return sql.unsafe<RefusedTable[]>(statement('list_refused'));
}

/** What audit.track is told of a table; an empty object takes back what was said before. */
export interface TrackOptions {
  readonly key?: readonly string[] | undefined;
  readonly exclude?: readonly string[] | undefined;
  readonly mask?: Readonly<Record<string, string>> | undefined;
  readonly types?: Readonly<Record<string, string>> | undefined;
  readonly evolve?: string | undefined;
  readonly capture?: 'row' | 'statement' | undefined;
}

export interface TableToTrack extends TableName {
  /** Undefined: as it was tracked before. */
  readonly options?: TrackOptions | undefined;
}

/** How long `track` tries to get a table's lock before it gives up. */
const PATIENCE_MS = 30_000;

/**
 * Start to capture these tables, each in a transaction of its own. A table whose lock is not had within `lockTimeoutMs` is tried again
 * with jitter: its writers wait no longer than that at a time.
 * @param context whether to log who changes and why; undefined: as before
 * @param progress called after each table
 * @throws SluiceError table_busy when a table stays locked, table_refused when it can't be tracked, rules_invalid when its options make no
 * sense; tables before it stay tracked
 */
export async function track(
  sql: Sql,
  tables: readonly TableToTrack[],
  {
    lockTimeoutMs = 50,
    context,
    progress = () => {},
  }: { lockTimeoutMs?: number; context?: boolean; progress?: (done: number) => void } = {},
): Promise<TrackedTable[]> {
  const tracked: TrackedTable[] = [];
  for (const table of tables) {
    tracked.push(await withTableLock(table, lockTimeoutMs, () => trackOne(sql, table, { lockTimeoutMs, context })));
    progress(tracked.length);
  }
  return tracked;
}

async function trackOne(
  sql: Sql,
  { schema, name, options }: TableToTrack,
  { lockTimeoutMs, context }: { lockTimeoutMs: number; context: boolean | undefined },
): Promise<TrackedTable> {
  return sql.begin(async (tx) => {
    await tx`SELECT set_config('lock_timeout', ${`${lockTimeoutMs}ms`}, true)`;
    const [row] = await tx<{ id: number; capture: 'statement' | 'row'; key: string[] | null }[]>`
      SELECT t.table_id AS id, t.capture, t.fingerprint -> 'key' AS key FROM audit.track(format('%I.%I', ${schema}::text, ${name}::text)::regclass, ${options === undefined ? null : JSON.stringify(options)}::text::jsonb, ${context ?? null}::boolean) t`;
    if (!row) throw new SluiceError('table_refused', `${schema}.${name} was not tracked`, 'Run `sluice doctor`.');
    const key = row.key;
    const notice = key === null ? 'no primary key and no other fit unique index: logged only, without a current state' : null;
    return { schema, name, id: row.id, capture: row.capture, key, notice };
  });
}

/** Stop to capture these tables. Returns those that were tracked. */
export async function untrack(sql: Sql, tables: readonly TableName[], { lockTimeoutMs = 50 } = {}): Promise<TableName[]> {
  const gone: TableName[] = [];
  for (const table of tables) {
    const was = await withTableLock(table, lockTimeoutMs, () =>
      sql.begin(async (tx) => {
        await tx`SELECT set_config('lock_timeout', ${`${lockTimeoutMs}ms`}, true)`;
        const [row] = await tx<{ was: boolean }[]>`
          SELECT audit.untrack(format('%I.%I', ${table.schema}::text, ${table.name}::text)::regclass) AS was`;
        return row?.was === true;
      }),
    );
    if (was) gone.push(table);
  }
  return gone;
}

async function withTableLock<T>({ schema, name }: TableName, lockTimeoutMs: number, attempt: () => Promise<T>): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      const code = (error as { code?: unknown }).code;
      if (code === '0A000') {
        throw new SluiceError(
          'table_refused',
          (error as Error).message,
          'Leave it out by a pattern such as "!schema.table", or change it as said.',
          {
            cause: error,
          },
        );
      }
      // undefined_column, invalid_parameter_value: raised by audit.column_rules
      if (code === '42703' || code === '22023') {
        throw new SluiceError('rules_invalid', (error as Error).message, `Correct the options of ${schema}.${name} in tables.`, {
          cause: error,
        });
      }
      // 55P03 lock_not_available, 40P01 deadlock_detected (an application transaction holds one partition and wants another)
      if (code !== '55P03' && code !== '40P01') throw error;
      if (Date.now() > end) {
        throw new SluiceError(
          'table_busy',
          `${schema}.${name} stayed locked for ${PATIENCE_MS / 1000} s`,
          'End the long transaction on it, then run the command again.',
          {
            cause: error,
          },
        );
      }
      await sleep(lockTimeoutMs * (1 + 4 * Math.random()));
    }
  }
}
