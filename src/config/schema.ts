import { z } from 'zod';
import { SluiceError } from '../model/error.ts';
import { isConnectionUrl, UNPARSABLE_URL } from './connection-url.ts';
import { parseDuration } from './duration.ts';
import { compilePatterns, isExactPattern } from './patterns.ts';
import { compileRenames } from './renames.ts';
import { parseSize } from './size.ts';

/**
 * Every option: its form, default and description. The file, the environment, the reference in docs/configuration.md and the
 * "did you mean" of an error all come from here. A default is written as the user would write it.
 * `meta.type` is what the reference shows as the option's type.
 */

const DURATION = "expected a duration such as '50ms', '1s', '5m' or '90d'";
const SIZE = "expected a size such as '384MB' or '2GiB'";

/** A text that stands for a number. */
const measure = (parse: (text: string) => number | undefined, expected: string) =>
  z.string(expected).transform((text, context) => {
    const value = parse(text);
    if (value === undefined) context.addIssue({ code: 'custom', message: expected });
    return value ?? z.NEVER;
  });

const duration = (description: string, preset: string) =>
  measure(parseDuration, DURATION).prefault(preset).meta({ description, type: 'duration' });

/** Environment variables and expanded `${NAME}`s arrive as text. */
const integer = (min: number) =>
  z.preprocess((value) => (typeof value === 'string' && /^\d+$/.test(value.trim()) ? Number(value) : value), z.int().min(min));

/** `${NAME}` and the environment give text. */
const flag = () => z.preprocess((value) => (value === 'true' ? true : value === 'false' ? false : value), z.boolean());

/** A list in one environment variable. */
export const splitList = (text: string): string[] => text.split(',').map((item) => item.trim());

const filePath = () => z.string().min(1);

const CATALOG = /^(postgres(ql)?:\/\/|sqlite:.|duckdb:.)/;

const source = z
  .strictObject({
    url: z
      .string()
      .regex(/^postgres(ql)?:\/\//, 'expected a URL that begins with postgres://')
      .refine(isConnectionUrl, UNPARSABLE_URL)
      .meta({ description: 'Database whose changes are captured.', type: 'postgres://…' }),
    lock_timeout: duration('How long a swap may wait for the buffer, and so the longest that the application can wait for sluice.', '50ms'),
    buffer: z.enum(['unlogged', 'logged']).default('unlogged').meta({
      description:
        '`unlogged`: cheap, but a crash of the source empties the buffer (noticed and reported as a gap). `logged`: survives a crash, costs WAL. Read by `install`.',
    }),
    context: flag().default(false).meta({
      description:
        'Log with each change who made it and why: role, application_name and what the application said by `SET LOCAL sluice.context`. Read by `track`.',
    }),
  })
  .prefault({} as never);

const columnNames = z.array(z.string().min(1));

const MASK = "expected hash, constant, null or keep-last-<1 to 99>, such as 'keep-last-4'";

/** A table with options of its own in the list `tables`, or tables that are called something else in the lake. */
const table = z.strictObject({
  table: z.string(),
  rename: z.string().optional(),
  key: columnNames.min(1).optional(),
  exclude: columnNames.optional(),
  mask: z
    .record(
      z.string(),
      z.preprocess((value) => value ?? 'null', z.string(MASK).regex(/^(hash|constant|null|keep-last-[1-9]\d?)$/, MASK)),
    )
    .optional(),
  types: z.record(z.string(), z.string()).optional(),
  evolve: z.enum(['follow', 'freeze', 'stop']).optional(),
  capture: z.enum(['row', 'statement']).optional(),
});

type TableEntry = z.output<typeof table>;

/** An entry that says nothing but a name for the lake leaves the table's options as they are. */
const renamesOnly = ({ table: _, rename, ...options }: TableEntry) =>
  rename !== undefined && Object.values(options).every((option) => option === undefined);

/** What is wrong with an entry, by the key that it is wrong in. */
function problemOf(entry: TableEntry): { key: keyof TableEntry; message: string } | undefined {
  if (!isExactPattern(entry.table)) {
    if (entry.rename === undefined) return { key: 'table', message: "expected the name of one table, such as 'public.users'" };
    if (!renamesOnly(entry))
      return { key: 'table', message: 'wildcards go with rename alone: give other options to each table by its name' };
  }
  if (entry.rename === undefined) return undefined;
  try {
    compileRenames([{ table: entry.table, rename: entry.rename }]);
    return undefined;
  } catch (error) {
    if (!(error instanceof SluiceError)) throw error;
    return { key: error.code === 'pattern_invalid' ? 'table' : 'rename', message: error.message };
  }
}

/** What a table's own options are called, for "did you mean". */
export const TABLE_KEYS: readonly string[] = Object.keys(table.shape);

const tables = z
  .preprocess((value) => (typeof value === 'string' ? splitList(value) : value), z.array(z.unknown()))
  .transform((entries, context) => {
    // Not a union: its error would say that neither fits, and not which key of a table is wrong.
    const parsed = entries.map((entry, index) => {
      const { data, error } = (typeof entry === 'string' ? z.string() : table).safeParse(entry);
      for (const issue of error?.issues ?? []) context.issues.push({ ...issue, input: entry, path: [index, ...issue.path] } as never);
      const problem = typeof data === 'object' ? problemOf(data) : undefined;
      if (problem) context.addIssue({ code: 'custom', message: problem.message, path: [index, problem.key] });
      return data;
    });
    if (context.issues.length > 0) return z.NEVER;
    const patterns = parsed.map((entry) => (typeof entry === 'object' ? entry.table : (entry as string)));
    try {
      compilePatterns(patterns);
    } catch (error) {
      context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
    }
    const own = parsed.filter((entry) => typeof entry === 'object');
    return {
      patterns,
      options: own.filter((entry) => !renamesOnly(entry)).map(({ rename: _, ...options }) => options),
      renames: own.flatMap(({ table, rename }) => (rename === undefined ? [] : [{ table, rename }])),
    };
  })
  .prefault([])
  .meta({
    description:
      'Tables that `track` takes: patterns on schema.table, `*` and `?` are wildcards, `!` excludes, the last match wins. Or tables with options or another name in the lake, see below.',
    type: 'list of patterns and tables',
  });

const patterns = (description: string, preset: string[]) =>
  z
    .preprocess((value) => (typeof value === 'string' ? splitList(value) : value), z.array(z.string()))
    .superRefine((entries, context) => {
      try {
        compilePatterns(entries);
      } catch (error) {
        context.addIssue({ code: 'custom', message: error instanceof Error ? error.message : String(error) });
      }
    })
    .prefault(preset)
    .meta({ description, type: 'list of patterns' });

const ducklake = z.strictObject({
  type: z.literal('ducklake').meta({ description: '`ducklake`: a catalog and Parquet files. `duckdb`: one DuckDB file.' }),
  catalog: z
    .string()
    .regex(CATALOG, 'expected postgres://…, sqlite:<file> or duckdb:<file>')
    .refine(isConnectionUrl, UNPARSABLE_URL)
    .default('sqlite:./lake/catalog.sqlite')
    .meta({ description: "DuckLake's catalog: `postgres://…`, `sqlite:<file>` or `duckdb:<file>`.", type: 'catalog' }),
  data: filePath()
    .default('./lake/data')
    .meta({ description: 'Where the Parquet files go: a folder, or `s3://bucket/prefix`.', type: 'path' }),
  metadata_schema: z.string().min(1).optional().meta({
    description: 'Schema of the catalog database that holds the tables of DuckLake. Unset: the default of DuckLake.',
    type: 'name',
  }),
  inline_rows: integer(0).default(10).meta({
    description: 'Batches of at most this many rows are kept in the catalog instead of a Parquet file; 0 turns that off.',
    type: 'integer',
  }),
});

const duckdb = z.strictObject({
  type: z.literal('duckdb'),
  path: filePath().default('./lake.duckdb').meta({ description: 'The DuckDB file.', type: 'path' }),
});

/** A lake without a type is a DuckLake. */
const lake = z.preprocess(
  (value) => (value !== null && typeof value === 'object' && !Array.isArray(value) ? { type: 'ducklake', ...value } : value),
  z.discriminatedUnion('type', [ducklake, duckdb]).prefault({ type: 'ducklake' }),
);

export const configSchema = z.strictObject({
  source,
  tables,
  lake: lake.prefault({}),
  batch: z.strictObject({ interval: duration('How far apart batches begin; a backlog is drained without waiting.', '1s') }).prefault({}),
  retain: measure(parseDuration, DURATION).optional().meta({
    description:
      'How long changes are kept in the lake: older ones leave `main.cdc` and the typed logs, but for the last one of each row that is still there. Unset: for ever.',
    type: 'duration',
  }),
  disk_guard: z
    .strictObject({
      limit: measure(parseSize, SIZE).optional().meta({
        description:
          "Size of the buffer on the source's disk above which capture of `disk_guard.tables` is paused while the lake is away. Unset: never.",
        type: 'size',
      }),
      tables: patterns('Tables whose capture may be paused.', ['*.*']),
    })
    .prefault({}),
  load: z
    .strictObject({
      readers: integer(1).default(2).meta({
        description:
          'Parts of a table that a load reads at the same time, each over a connection of its own and with about 64 MB in memory.',
        type: 'integer',
      }),
      rows_per_second: integer(1)
        .optional()
        .meta({ description: 'The most that loads read of the source. Unset: no limit.', type: 'integer' }),
    })
    .prefault({}),
  verify: z
    .strictObject({
      interval: measure(parseDuration, DURATION).optional().meta({
        description:
          'How often the daemon verifies each table that has a key, one after the other; `status` shows the results. Unset: never.',
        type: 'duration',
      }),
    })
    .prefault({}),
  memory_limit: z
    .string(SIZE)
    .regex(/^\d+(\.\d+)?\s?([KMGT]i?B)$/i, SIZE)
    .default('384MB')
    .meta({ description: 'Memory of the DuckDB engine; more is spilled to `temp_directory`.', type: 'size' }),
  threads: integer(1).optional().meta({ description: 'Threads of the DuckDB engine. Unset: one per core.', type: 'integer' }),
  temp_directory: filePath().optional().meta({
    description:
      'Where the engine spills. Unset: a folder of its own below the temporary folder of the system. Not for two processes at once.',
    type: 'path',
  }),
  extensions: z
    .strictObject({
      directory: filePath().optional().meta({
        description:
          'Folder with DuckDB extensions, for machines without network. They are taken from there where DuckDB has not installed its own.',
        type: 'path',
      }),
    })
    .prefault({}),
  staging: z.enum(['auto', 'extension', 'fifo']).default('auto').meta({
    description:
      "How a batch is read: by DuckDB's `postgres` extension, or as CSV through a FIFO (slower, needs no extension). `auto`: the extension where there is one.",
  }),
  log: z
    .strictObject({
      level: z
        .enum(['trace', 'debug', 'info', 'warn', 'error', 'silent'])
        .default('info')
        .meta({ description: 'Least level that is logged.' }),
      format: z
        .enum(['json', 'pretty'])
        .optional()
        .meta({ description: 'Log lines as JSON or for people. Unset: for people on a terminal, else JSON.' }),
    })
    .prefault({}),
});

/** The options as they are after validation, in the spelling of the file; durations are milliseconds. */
export type ConfigValues = z.output<typeof configSchema>;
