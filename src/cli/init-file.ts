import { configOptions, patternFor } from '../config/index.ts';
import type { SourceTable } from '../source/index.ts';
import { formatBytes, formatCount } from './output.ts';

/** Lists longer than this are cut: the file is for reading. */
const SHOWN = 40;

/**
 * The text of a commented sluice.yaml for a database with these tables: one `schema.*` for each schema, minus what can't be tracked.
 * @param url as it shall stand in the file: a reference to the environment, or a URL without a password
 */
export function renderConfigFile({ url, tables }: { url: string; tables: readonly SourceTable[] }): string {
  return `# Configuration of pg-sluice, written by sluice init.
# docs/configuration.md has every key. \${NAME} and \${NAME:-default} expand from the environment;
# each key has a variable of its own that overrides it, for example SLUICE_LAKE_DATA for lake.data.

source:
  url: ${quote(url)}
  # ${described('source.lock_timeout')}
  # lock_timeout: ${preset('source.lock_timeout')}
  # ${described('source.context')}
  # context: true

# Tables that sluice track takes: * and ? are wildcards, "!…" excludes, the last match wins.
${catalogue(tables)}
tables:${patterns(tables)}
  # A table with options of its own, all of them optional (docs/configuration.md):
  # - table: ${quote(example(tables))}
  #   key: [id]                        # what tells rows apart, where the table has no fit key
  #   exclude: [password]              # never captured
  #   mask: { email: hash }            # or constant, null, keep-last-4: what is captured instead
  #   types: { amount: "decimal(30,8)" }   # what a column becomes in the lake: sluice status --types
  #   rename: shop.users               # what it is called in the lake; of many: { table: "shard_*.*", rename: shop.$2_$1 }
  #   evolve: follow                   # or freeze, stop: what happens when its columns change
  #   capture: row                     # or statement: for a table whose statements change thousands of rows

# The lake: a DuckLake, its catalog in a SQLite file and its Parquet files in a folder. Paths are relative to this file.
# In production keep the catalog in PostgreSQL: several programs can then read and write at once, and data may lie in S3.
lake:
  type: ducklake
  catalog: ${quote(preset('lake.catalog'))}     # "postgres://user:\${LAKE_PASSWORD}@host/catalog"
  data: ${quote(preset('lake.data'))}                        # "s3://bucket/prefix"
# Or one DuckDB file:
# lake: { type: duckdb, path: ${quote(preset('lake.path'))} }

batch:
  # ${described('batch.interval')}
  interval: ${preset('batch.interval')}
`;
}

function catalogue(tables: readonly SourceTable[]): string {
  if (tables.length === 0) return '# The database has no tables yet.';
  const width = Math.min(40, Math.max(...tables.slice(0, SHOWN).map((table) => label(table).length)));
  const lines = tables.slice(0, SHOWN).map((table) => {
    const key = table.key === null ? 'no key: changes are logged, but there will be no current state' : `key ${table.key.join(', ')}`;
    const size = `about ${formatCount(Math.max(0, table.rows))} rows, ${formatBytes(table.bytes)}`;
    return comment(`${label(table).padEnd(width)}  ${size}, ${table.refusal === null ? key : `left out: ${table.refusal}`}`);
  });
  const more = tables.length > SHOWN ? [`#   … and ${formatCount(tables.length - SHOWN)} more`] : [];
  return ['# The database has:', ...lines, ...more].join('\n');
}

function patterns(tables: readonly SourceTable[]): string {
  const schemas = [...new Set(tables.map(({ schema }) => schema))];
  if (schemas.length === 0) return '\n  - "public.*"';
  const taken = schemas.map((schema) => `${patternFor(schema, 'x').slice(0, -1)}*`);
  const left = tables.filter((table) => table.refusal !== null).map((table) => `!${label(table)}`);
  return [...taken, ...left].map((pattern) => `\n  - ${quote(pattern)}`).join('');
}

function example(tables: readonly SourceTable[]): string {
  const table = tables.find(({ refusal }) => refusal === null);
  return table ? label(table) : 'public.users';
}

function label({ schema, name }: SourceTable): string {
  return patternFor(schema, name);
}

/** A name may hold a line feed, which would end the comment. */
function comment(text: string): string {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: exactly those are meant.
  return `#   ${text.replace(/[\u0000-\u001f\u007f-\u009f\u2028\u2029]/g, ' ')}`;
}

/** JSON strings are double-quoted scalars of YAML; names that PostgreSQL quotes read better in single quotes. */
function quote(text: string): string {
  return text.includes('"') && /^[\x20-\x7e]*$/.test(text) ? `'${text.replaceAll("'", "''")}'` : JSON.stringify(text);
}

function preset(key: string): string {
  return configOptions.find((option) => option.key === key)?.preset ?? '';
}

function described(key: string): string {
  return configOptions.find((option) => option.key === key)?.description ?? '';
}
