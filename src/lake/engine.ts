import { type DuckDBConnection, DuckDBInstance, type DuckDBMaterializedResult, StatementType } from '@duckdb/node-api';
import type { Logger } from 'pino';
import { isEngineBroken } from './errors.ts';
import { registerExact } from './exact-function.ts';
import { type Column, type Row, toColumns, toRows } from './rows.ts';
import { literal } from './sql.ts';

/** Values for `$name` in a statement. Cast them in the SQL: a string is VARCHAR, a bigint HUGEINT. */
export type Params = Record<string, string | number | bigint | boolean | null>;

/** Statements on the engine's one connection. Errors are DuckDB's own: callers wrap them with `lakeError`. */
export interface Sql {
  /** Run a statement; resolves with the number of rows it changed. */
  run(sql: string, params?: Params): Promise<number>;
  /** Run a statement and read its rows, without loss (see rows.ts). */
  rows(sql: string, params?: Params): Promise<Row[]>;
  /** The same with the columns' names and types. */
  table(sql: string, params?: Params): Promise<{ columns: Column[]; rows: Row[] }>;
}

/**
 * One in-memory DuckDB: the staging table, the attached lake and the attached source live in it.
 * There is one connection, because temp tables belong to a connection; whoever needs several statements together
 * (a transaction, a stage) takes it with `exclusive`, everybody else waits.
 */
export interface Engine extends Sql {
  /** DuckDB's version with the leading `v`, as extension directories are named. */
  readonly version: string;
  /** DuckDB's name of the platform, e.g. `linux_amd64`. */
  readonly platform: string;
  readonly log: Logger;
  /** What kind each statement of this text is, without running any. No statement: an empty list. A single one is bound, so its errors show. */
  kinds(sql: string): Promise<StatementType[]>;
  /** Run `work` with nobody else on the connection. Not reentrant: inside, use the `Sql` that it is given. */
  exclusive<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /**
   * Run `work` on a connection of its own, beside whatever runs on the engine's. It sees the same databases, but no temp tables; what it makes in
   * `memory` is there for all. Where the engine is opened anew meanwhile, `work` fails.
   */
  beside<T>(work: (sql: Sql) => Promise<T>): Promise<T>;
  /** Grows each time the engine had to be opened anew: what was attached, staged or set before is gone. Ask inside `exclusive`. */
  readonly generation: number;
  /** Load an extension by name or by quoted path; an engine that has to be opened anew loads it again. */
  load(target: string): Promise<void>;
  /** Make the running statement fail (`INTERRUPT Error`). */
  interrupt(): void;
  close(): Promise<void>;
}

export interface EngineOptions {
  /** As DuckDB takes it, e.g. `1GB`. */
  readonly memoryLimit?: string;
  readonly threads?: number;
  /** Where a batch larger than the memory limit spills. */
  readonly tempDirectory?: string;
  readonly log: Logger;
}

/** Open an engine with nothing attached and no extension but the built-in ones. */
export async function openEngine(options: EngineOptions): Promise<Engine> {
  const settings: Record<string, string> = {
    // Nothing is downloaded behind the user's back: extensions.ts loads what a lake needs.
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    preserve_insertion_order: 'false',
    // The client's DuckDB allocates with glibc, whose arenas keep what is freed: at the defaults (128 MB and 512 MB) a batch of a million changes
    // takes 100 MB more of the process than at 32 MB, at 8 MB half as much CPU again, for pages that come and go.
    allocator_flush_threshold: '32MB',
    allocator_bulk_deallocation_flush_threshold: '32MB',
    // An engine that a failed assertion has invalidated can't even be closed: DuckDB ends the process when it rolls back the transaction that
    // is still open. So it may go on for the moment that ROLLBACK and closing take; nothing else is run on it (see #reopen).
    disable_database_invalidation: 'true',
  };
  if (options.memoryLimit !== undefined) settings.memory_limit = options.memoryLimit;
  if (options.threads !== undefined) settings.threads = String(options.threads);
  if (options.tempDirectory !== undefined) settings.temp_directory = options.tempDirectory;
  const database = await openDatabase(settings);
  try {
    const about = await database.connection.run('SELECT version() AS version, (SELECT platform FROM pragma_platform()) AS platform');
    const [row] = await toRows(about);
    return new DuckDBEngine(database, settings, String(row?.version), String(row?.platform), options.log);
  } catch (error) {
    closeDatabase(database);
    throw error;
  }
}

interface Database {
  readonly instance: DuckDBInstance;
  readonly connection: DuckDBConnection;
}

async function openDatabase(settings: Record<string, string>): Promise<Database> {
  const instance = await DuckDBInstance.create(':memory:', settings);
  let connection: DuckDBConnection | undefined;
  try {
    connection = await instance.connect();
    await connection.run(`SET TimeZone = ${literal('UTC')}`);
    registerExact(connection);
    return { instance, connection };
  } catch (error) {
    connection?.closeSync();
    instance.closeSync();
    throw error;
  }
}

function sqlOf(query: (sql: string, params?: Params) => Promise<DuckDBMaterializedResult>): Sql {
  return {
    run: async (sql, params) => (await query(sql, params)).rowsChanged,
    rows: async (sql, params) => toRows(await query(sql, params)),
    table: async (sql, params) => {
      const result = await query(sql, params);
      return { columns: toColumns(result), rows: await toRows(result) };
    },
  };
}

/** A file stays locked until connection and instance are both closed. */
function closeDatabase({ instance, connection }: Database): void {
  connection.closeSync();
  instance.closeSync();
}

const EXTRACTING = 'Failed to extract statements: ';

/**
 * States: open → broken (DuckDB found itself in an impossible state, as when a catalog connection dies while inlined rows are read; it refuses
 * every later statement) → open again, by whoever comes next, with a higher generation. Held by test/lake/catalog-down.test.ts.
 */
class DuckDBEngine implements Engine {
  readonly version: string;
  readonly platform: string;
  readonly log: Logger;
  generation = 1;
  readonly #settings: Record<string, string>;
  readonly #loads: string[] = [];
  readonly #sql: Sql;
  #database: Database;
  #broken = false;
  /** Settles when the last one in the queue is done; never rejects. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;
  /** Work on connections of its own that has not ended. */
  readonly #beside = new Set<Promise<unknown>>();

  constructor(database: Database, settings: Record<string, string>, version: string, platform: string, log: Logger) {
    this.#database = database;
    this.#settings = settings;
    this.version = version;
    this.platform = platform;
    this.log = log;
    this.#sql = sqlOf((sql, params) => this.#query(sql, params));
  }

  run(sql: string, params?: Params): Promise<number> {
    return this.exclusive((one) => one.run(sql, params));
  }

  rows(sql: string, params?: Params): Promise<Row[]> {
    return this.exclusive((one) => one.rows(sql, params));
  }

  table(sql: string, params?: Params): Promise<{ columns: Column[]; rows: Row[] }> {
    return this.exclusive((one) => one.table(sql, params));
  }

  async load(target: string): Promise<void> {
    await this.run(`LOAD ${target}`);
    this.#loads.push(target);
  }

  kinds(sql: string): Promise<StatementType[]> {
    return this.exclusive(async () => {
      const statements = await this.#database.connection.extractStatements(sql).catch((error: unknown) => {
        // The client throws for a text that holds nothing, too, but then has no message of DuckDB.
        if (error instanceof Error && error.message.startsWith(EXTRACTING)) throw new Error(error.message.slice(EXTRACTING.length));
        return undefined;
      });
      if (statements === undefined) return [];
      // A later statement can often be bound only when the ones before have run.
      if (statements.count > 1) return new Array<StatementType>(statements.count).fill(StatementType.INVALID);
      const prepared = await statements.prepare(0);
      try {
        return [prepared.statementType];
      } finally {
        prepared.destroySync();
      }
    });
  }

  exclusive<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    const mine = this.#last.then(async () => {
      if (this.#closed) throw new Error('the lake engine is closed');
      if (this.#broken) await this.#reopen();
      return work(this.#sql);
    });
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  async beside<T>(work: (sql: Sql) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Error('the lake engine is closed');
    const connection = await this.#database.instance.connect();
    const mine = (async () => {
      try {
        await connection.run(`SET TimeZone = ${literal('UTC')}`);
        return await work(sqlOf((sql, params) => connection.run(sql, params)));
      } finally {
        connection.closeSync();
      }
    })();
    this.#beside.add(mine);
    try {
      return await mine;
    } finally {
      this.#beside.delete(mine);
    }
  }

  interrupt(): void {
    if (!this.#closed) this.#database.connection.interrupt();
  }

  async close(): Promise<void> {
    await this.#last;
    if (this.#closed) return;
    this.#closed = true;
    await Promise.allSettled(this.#beside);
    closeDatabase(this.#database);
  }

  async #query(sql: string, params?: Params): Promise<DuckDBMaterializedResult> {
    try {
      return await this.#database.connection.run(sql, params);
    } catch (error) {
      if (isEngineBroken(error)) this.#broken = true;
      throw error;
    }
  }

  async #reopen(): Promise<void> {
    await Promise.allSettled(this.#beside);
    const database = await openDatabase(this.#settings);
    closeDatabase(this.#database);
    this.#database = database;
    this.#broken = false;
    this.generation += 1;
    for (const target of this.#loads) await this.#query(`LOAD ${target}`);
    this.log.warn(
      { generation: this.generation, remedy: 'None: the batch is tried again. Why it broke is in the warning before this one.' },
      'the lake engine had broken and was opened anew',
    );
  }
}
