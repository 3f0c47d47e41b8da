import { readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { dirname, join, resolve } from 'node:path';
import { type Alias, type Document, LineCounter, parseDocument, visit } from 'yaml';
import { SluiceError } from '../model/error.ts';
import type { Catalog, Config, LakeConfig } from './config.ts';
import { type Environment, expandVariables } from './expand.ts';
import { configOptions } from './options.ts';
import { configProblem } from './problems.ts';
import { type ConfigValues, configSchema, splitList } from './schema.ts';

export const DEFAULT_FILE = 'sluice.yaml';

type Tree = Record<string, unknown>;

export interface LoadOptions {
  /** The file named by `--config`; undefined: `sluice.yaml` in `cwd`, which may be missing when the environment says all. */
  readonly file?: string;
  readonly env: Environment;
  /** Values by dotted key, from the command line; they win over the environment, which wins over the file. */
  readonly flags?: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/**
 * Read, expand, override and validate the configuration. Relative paths are taken from the folder of the file (without one: `cwd`).
 * Throws SluiceError `config_missing`, `config_unreadable`, `config_syntax`, `config_variable`, `config_unknown_key` or `config_invalid`.
 */
export function loadConfig(options: LoadOptions): Config {
  const { tree, file, where } = read(options, () => true);
  const parsed = configSchema.safeParse(tree);
  if (!parsed.success) {
    if (file === undefined && !hasUrl(tree)) throw missingFile(resolve(options.cwd, DEFAULT_FILE));
    throw configProblem(parsed.error.issues, where);
  }
  const { source, tables, batch, retain, disk_guard, load, verify, staging, log } = parsed.data;
  return {
    ...lakePart(parsed.data, file, options),
    source: { url: source.url, lockTimeoutMs: source.lock_timeout, buffer: source.buffer, context: source.context },
    tables: tables.patterns,
    tableOptions: tables.options,
    renames: tables.renames,
    batch: { intervalMs: batch.interval },
    diskGuard: { tables: disk_guard.tables, ...defined({ limit: disk_guard.limit }) },
    ...defined({ retainMs: retain }),
    load: { readers: load.readers, ...defined({ rowsPerSecond: load.rows_per_second }) },
    verify: defined({ intervalMs: verify.interval }),
    staging,
    log: { level: log.level, ...defined({ format: log.format }) },
  };
}

/** As `loadConfig`, for commands that never see the source: `source` is not looked at, so its variables need not be set. */
export function loadLakeConfig(options: LoadOptions): LakeConfig {
  const { tree, file, where } = read(options, (key) => !key.startsWith('source.'));
  const { source: _, ...rest } = tree;
  const parsed = configSchema.omit({ source: true }).safeParse(rest);
  if (!parsed.success) throw configProblem(parsed.error.issues, where);
  return lakePart(parsed.data, file, options);
}

function read(options: LoadOptions, wanted: (key: string) => boolean): { tree: Tree; file: string | undefined; where: string } {
  const path = resolve(options.cwd, options.file ?? DEFAULT_FILE);
  const text = readText(path);
  if (text === undefined && options.file !== undefined) throw missingFile(path);
  const overrides = overridesFrom(options);
  const skip = new Set([...overrides.keys(), ...configOptions.map(({ key }) => key).filter((key) => !wanted(key))]);
  const tree = expandVariables(text === undefined ? {} : parseYaml(text, path), options.env, skip) as Tree;
  if (overrides.has('lake.type')) dropOtherLake(tree, overrides.get('lake.type'));
  const ownOptions = Array.isArray(tree.tables) ? tree.tables.filter((entry) => typeof entry === 'object') : [];
  for (const [key, value] of overrides) setPath(tree, key, value);
  // Which tables are taken may be overridden; that some of their columns are masked must not get lost with it.
  const patterns = overrides.get('tables');
  if (patterns !== undefined && ownOptions.length > 0) tree.tables = [...ownOptions, '!*.*', ...splitList(patterns)];
  return { tree, file: text === undefined ? undefined : path, where: text === undefined ? 'environment' : path };
}

function readText(path: string): string | undefined {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    const code = (error as NodeJS.ErrnoException).code;
    if (code === 'ENOENT') return undefined;
    throw new SluiceError('config_unreadable', `${path} can't be read (${code}).`, 'Check the path and who may read it.', { cause: error });
  }
}

function parseYaml(text: string, path: string): Tree {
  const lines = new LineCounter();
  // Pretty errors would quote the line, and a line may hold a password.
  const document = parseDocument(text, { lineCounter: lines, prettyErrors: false });
  const alias = firstAlias(document);
  const problem = document.errors[0] ?? document.warnings[0];
  if (problem !== undefined || alias !== undefined) {
    const { line, col } = lines.linePos(alias?.range?.[0] ?? problem?.pos[0] ?? 0);
    const special = alias !== undefined || problem?.code === 'TAG_RESOLVE_FAILED';
    const what = special ? 'a value that begins with ! or * must be quoted' : `not valid YAML (${problem?.code})`;
    const remedy = special ? 'Write it in quotes: "!public.secrets".' : 'Check indentation, quotes and colons around that line.';
    throw new SluiceError('config_syntax', `${path}, line ${line}, column ${col}: ${what}.`, remedy);
  }
  const tree: unknown = document.toJS() ?? {};
  if (typeof tree !== 'object' || Array.isArray(tree)) {
    throw new SluiceError(
      'config_syntax',
      `${path} is not a list of keys and values.`,
      'docs/configuration.md has an example; sluice init writes one.',
    );
  }
  return dropNulls(tree) as Tree;
}

/** An alias is what an unquoted `*.orders` is to YAML; no configuration needs a real one. */
function firstAlias(document: Document.Parsed): Alias | undefined {
  let found: Alias | undefined;
  visit(document, {
    Alias: (_key, node) => {
      found = node;
      return visit.BREAK;
    },
  });
  return found;
}

/** `batch:` with nothing behind it means "defaults", not "null". */
function dropNulls(value: unknown): unknown {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return value;
  return Object.fromEntries(Object.entries(value).flatMap(([key, item]) => (item === null ? [] : [[key, dropNulls(item)]])));
}

function overridesFrom({ env, flags = {} }: LoadOptions): Map<string, string> {
  const fromEnvironment = configOptions.flatMap(({ key, variable }) => {
    const value = env[variable];
    return value === undefined || value === '' ? [] : [[key, value] as const];
  });
  return new Map([...fromEnvironment, ...Object.entries(flags)]);
}

function setPath(tree: Tree, key: string, value: string): void {
  const path = key.split('.');
  const last = path.pop() as string;
  let node = tree;
  for (const part of path) {
    const child = node[part];
    node[part] = child !== null && typeof child === 'object' && !Array.isArray(child) ? child : {};
    node = node[part] as Tree;
  }
  node[last] = value;
}

/** Who overrides the type of the lake doesn't mean the keys that the file has for the other type. */
function dropOtherLake(tree: Tree, type: string | undefined): void {
  if (tree.lake === null || typeof tree.lake !== 'object') return;
  const foreign = configOptions.filter(({ lakeType }) => lakeType !== undefined && lakeType !== type).map(({ key }) => key);
  tree.lake = Object.fromEntries(Object.entries(tree.lake).filter(([name]) => !foreign.includes(`lake.${name}`)));
}

function lakePart(values: Omit<ConfigValues, 'source'>, file: string | undefined, { cwd, env }: LoadOptions): LakeConfig {
  const folder = file === undefined ? cwd : dirname(file);
  const absolute = (path: string) => resolve(folder, path);
  const { lake } = values;
  const optional = (path: string | undefined) => (path === undefined ? undefined : absolute(path));
  return {
    lake:
      lake.type === 'duckdb'
        ? { type: 'duckdb', path: absolute(lake.path) }
        : {
            type: 'ducklake',
            catalog: absoluteCatalog(lake.catalog, absolute),
            data: /^[a-z][a-z0-9+.-]*:\/\//i.test(lake.data) ? lake.data : absolute(lake.data),
            inlineRows: lake.inline_rows,
            ...defined({ metadataSchema: lake.metadata_schema }),
          },
    memoryLimit: values.memory_limit,
    cacheDirectory: join(env.XDG_CACHE_HOME || join(env.HOME || homedir(), '.cache'), 'pg-sluice'),
    ...defined({
      threads: values.threads,
      tempDirectory: optional(values.temp_directory),
      extensionsDirectory: optional(values.extensions.directory),
      file,
    }),
  };
}

/** The properties that have a value: "not set" is an absent property, never an undefined one. */
function defined<T extends object>(object: T): { [K in keyof T]?: Exclude<T[K], undefined> } {
  return Object.fromEntries(Object.entries(object).filter(([, value]) => value !== undefined)) as ReturnType<typeof defined<T>>;
}

function absoluteCatalog(catalog: string, absolute: (path: string) => string): Catalog {
  const [, kind, path] = /^(sqlite|duckdb):(.+)$/s.exec(catalog) ?? [];
  return (kind === undefined || path === undefined ? catalog : `${kind}:${absolute(path)}`) as Catalog;
}

function hasUrl(tree: Tree): boolean {
  return typeof (tree.source as Tree | undefined)?.url === 'string';
}

function missingFile(path: string): SluiceError {
  return new SluiceError(
    'config_missing',
    `There is no ${path}.`,
    'Run sluice init to write one, name another with --config, or set SLUICE_SOURCE_URL.',
  );
}
