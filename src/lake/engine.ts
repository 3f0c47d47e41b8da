import { type DuckDBConnection, DuckDBInstance, type DuckDBMaterializedResult, StatementType } from '@duckdb/node-api';
import type { Logger } from 'pino';
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
  };
  if (options.memoryLimit !== undefined) settings.memory_limit = options.memoryLimit;
  if (options.threads !== undefined) settings.threads = String(options.threads);
  if (options.tempDirectory !== undefined) settings.temp_directory = options.tempDirectory;
  const instance = await DuckDBInstance.create(':memory:', settings);
  let connection: DuckDBConnection | undefined;
  try {
    connection = await instance.connect();
    await connection.run(`SET TimeZone = ${literal('UTC')}`);
    const about = await connection.run('SELECT version() AS version, (SELECT platform FROM pragma_platform()) AS platform');
    const [row] = await toRows(about);
    return new DuckDBEngine(instance, connection, String(row?.version), String(row?.platform), options.log);
  } catch (error) {
    connection?.closeSync();
    instance.closeSync();
    throw error;
  }
}

const EXTRACTING = 'Failed to extract statements: ';

class DuckDBEngine implements Engine {
  readonly version: string;
  readonly platform: string;
  readonly log: Logger;
  readonly #instance: DuckDBInstance;
  readonly #connection: DuckDBConnection;
  readonly #sql: Sql;
  /** Settles when the last one in the queue is done; never rejects. */
  #last: Promise<unknown> = Promise.resolve();
  #closed = false;

  constructor(instance: DuckDBInstance, connection: DuckDBConnection, version: string, platform: string, log: Logger) {
    this.#instance = instance;
    this.#connection = connection;
    this.version = version;
    this.platform = platform;
    this.log = log;
    const query = (sql: string, params?: Params): Promise<DuckDBMaterializedResult> => connection.run(sql, params);
    this.#sql = {
      run: async (sql, params) => (await query(sql, params)).rowsChanged,
      rows: async (sql, params) => toRows(await query(sql, params)),
      table: async (sql, params) => {
        const result = await query(sql, params);
        return { columns: toColumns(result), rows: await toRows(result) };
      },
    };
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

  kinds(sql: string): Promise<StatementType[]> {
    return this.exclusive(async () => {
      const statements = await this.#connection.extractStatements(sql).catch((error: unknown) => {
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
    const mine = this.#last.then(() => {
      if (this.#closed) throw new Error('the lake engine is closed');
      return work(this.#sql);
    });
    this.#last = mine.catch(() => undefined);
    return mine;
  }

  interrupt(): void {
    if (!this.#closed) this.#connection.interrupt();
  }

  async close(): Promise<void> {
    await this.#last;
    if (this.#closed) return;
    this.#closed = true;
    // A file stays locked until connection and instance are both closed.
    this.#connection.closeSync();
    this.#instance.closeSync();
  }
}
