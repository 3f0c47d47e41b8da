/** What a DuckLake's catalog is kept in. */
export type Catalog = `postgres://${string}` | `postgresql://${string}` | `sqlite:${string}` | `duckdb:${string}`;

export interface DuckLakeConfig {
  readonly type: 'ducklake';
  /** Files are absolute: `sqlite:/srv/lake/catalog.sqlite`. May hold a password: see `redactUrl`. */
  readonly catalog: Catalog;
  /** Absolute folder, or a URL such as `s3://bucket/prefix`. */
  readonly data: string;
  readonly metadataSchema?: string;
  /** Batches of at most this many rows are inlined into the catalog; 0: never. */
  readonly inlineRows: number;
}

export interface DuckDbConfig {
  readonly type: 'duckdb';
  /** Absolute path of the DuckDB file. */
  readonly path: string;
}

/** The part of the configuration that concerns the lake and its engine: all that `query` and `extensions` need. */
export interface LakeConfig {
  readonly lake: DuckLakeConfig | DuckDbConfig;
  /** In the spelling of DuckDB: '384MB'. */
  readonly memoryLimit: string;
  /** Undefined: as many as DuckDB takes. */
  readonly threads?: number;
  /** Absolute; undefined: whoever opens an engine makes a folder of its own, for two engines must not share one. */
  readonly tempDirectory?: string;
  /** Absolute folder with DuckDB extensions that the user provides. */
  readonly extensionsDirectory?: string;
  /** Absolute folder for what may be downloaded again, such as extensions: `$XDG_CACHE_HOME/pg-sluice`, else `~/.cache/pg-sluice`. */
  readonly cacheDirectory: string;
  /** The file that was read, absolute; undefined when all came from the environment. */
  readonly file?: string;
}

/** The whole configuration, validated: paths absolute, durations in milliseconds. */
export interface Config extends LakeConfig {
  readonly source: {
    /** Holds the password: never print it but through `redactUrl`. */
    readonly url: string;
    readonly lockTimeoutMs: number;
    readonly buffer: 'unlogged' | 'logged';
    /** Log with each change who made it and why. */
    readonly context: boolean;
  };
  /** Patterns on schema.table, see `compilePatterns`. */
  readonly tables: readonly string[];
  /** Tables with options of their own; of several for one table the last counts. */
  readonly tableOptions: readonly TableOptions[];
  /** What tables are called in the lake; of several that match a table the last counts. See `compileRenames`. */
  readonly renames: readonly Rename[];
  readonly batch: { readonly intervalMs: number };
  /** How old a change in the lake may become; undefined: as old as it likes. */
  readonly retainMs?: number;
  /** Bytes of the buffer above which capture of these tables is paused while the lake is away; undefined: never. */
  readonly diskGuard: { readonly limit?: number; readonly tables: readonly string[] };
  /** How tables are loaded; `rowsPerSecond` undefined: as fast as it goes. */
  readonly load: { readonly readers: number; readonly rowsPerSecond?: number };
  /** How often each table is verified; `intervalMs` undefined: never. */
  readonly verify: { readonly intervalMs?: number };
  readonly staging: 'auto' | 'extension' | 'fifo';
  /** `format` undefined: whatever suits where the log goes. */
  readonly log: { readonly level: LogLevel; readonly format?: 'json' | 'pretty' };
}

/** What a table has of its own in `tables`. */
export interface TableOptions {
  /** An exact pattern: it matches one table. */
  readonly table: string;
  /** Columns that tell rows apart where no fit index does. */
  readonly key?: readonly string[] | undefined;
  /** Columns that are never captured. */
  readonly exclude?: readonly string[] | undefined;
  /** What a column's values become before they are captured: hash, constant, null or keep-last-<n>. */
  readonly mask?: Readonly<Record<string, string>> | undefined;
  /** Lake types of columns. */
  readonly types?: Readonly<Record<string, string>> | undefined;
  /** What the lake does when the table's columns change. */
  readonly evolve?: 'follow' | 'freeze' | 'stop' | undefined;
  /** How its triggers work: for each row, or for each statement. */
  readonly capture?: 'row' | 'statement' | undefined;
}

/** An entry of `tables` with a `rename`. */
export interface Rename {
  /** A pattern, which may have wildcards. */
  readonly table: string;
  /** `schema.table` in the lake, where `$1` is what the first wildcard stands for. */
  readonly rename: string;
}

export type LogLevel = 'trace' | 'debug' | 'info' | 'warn' | 'error' | 'silent';
