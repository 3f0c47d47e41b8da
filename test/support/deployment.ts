import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { placesFor, withEngine } from '../../src/cli/lake.ts';
import { loadConfig } from '../../src/config/index.ts';
import { extensionsFor, loadExtensions, openForQuery } from '../../src/lake/index.ts';
import { connect, type Sql } from '../../src/source/index.ts';
import { type Child, type Ended, start } from './child.ts';
import { freshDatabase, type PostgresAddress } from './postgres.ts';
import { type CompareOptions, expectReplayEqualsTable, type LoggedChange } from './replay.ts';

/** The command line. */
export const MAIN = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));

export const LAKES = ['DuckDB file', 'DuckLake on PostgreSQL'] as const;
export type LakeKind = (typeof LAKES)[number];

export interface DeploymentOptions {
  readonly kind: LakeKind;
  /** Where a PostgreSQL catalog goes; default: the source's server. */
  readonly catalog?: PostgresAddress;
  /** Folder of the lake's files; default: one beside the configuration. */
  readonly lakeFolder?: string;
}

/** What a user has: a folder with a sluice.yaml, a database, and the command line, each command a process of its own. */
export interface Deployment extends AsyncDisposable {
  readonly folder: string;
  /** The source, as superuser. */
  readonly url: string;
  readonly catalogUrl: string | undefined;
  readonly sql: Sql;
  /** Write sluice.yaml; `source` and `lake` overrule what the deployment was made with. */
  configure(change?: { url?: string; lake?: string; interval?: string; more?: string }): Promise<void>;
  /** Start a command and let it run. */
  start(args: readonly string[], env?: NodeJS.ProcessEnv): Child;
  /** Run a command to its end, whatever that is. */
  run(...args: string[]): Promise<Ended>;
  /** Run a command that must succeed; returns what it printed under --json. */
  ok<T = unknown>(...args: string[]): Promise<T>;
  /** Ask the lake many queries, in this process: a command line for each would take a second. */
  reading<T>(work: (query: (text: string) => Promise<Record<string, unknown>[]>) => Promise<T>): Promise<T>;
  /** The log of changes, in its order. */
  changes(): Promise<LoggedChange[]>;
  /** Every change exactly once, and the log replayed equals the tables. Returns the changes. */
  verify(options?: Omit<CompareOptions, 'changes'>): Promise<LoggedChange[]>;
}

let extensions: Promise<void> | undefined;

/** Make a database on `server`, an empty lake and a configuration. Nothing is installed yet. */
export async function deploy(server: PostgresAddress, { kind, catalog = server, lakeFolder }: DeploymentOptions): Promise<Deployment> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-e2e-'));
  const database = await freshDatabase(server);
  const catalogDatabase = kind === 'DuckLake on PostgreSQL' ? await freshDatabase(catalog) : undefined;
  const sql = connect({ url: database.url, applicationName: 'deployment', max: 4 });
  const place = lakeFolder ?? join(folder, 'lake');
  const lakeOf = catalogDatabase
    ? `{ type: ducklake, catalog: "${catalogDatabase.url}", data: "${join(place, 'data')}" }`
    : `{ type: duckdb, path: "${join(place, 'lake.duckdb')}" }`;

  const { NODE_OPTIONS: _, ...inherited } = process.env;
  const startOne = (args: readonly string[], env: NodeJS.ProcessEnv = {}) =>
    start(process.execPath, [MAIN, ...args], { cwd: folder, env: { ...inherited, ...env } });
  const run = (...args: string[]) => startOne(args).ended;
  const ok = async <T>(...args: string[]): Promise<T> => {
    const { code, stdout, log } = await run(...args, '--json');
    expect(code, `sluice ${args.join(' ')}\n${stdout}\n${log}`).toBe(0);
    return (stdout.trim() === '' ? undefined : JSON.parse(stdout)) as T;
  };
  const configure: Deployment['configure'] = ({ url = database.url, lake = lakeOf, interval = '50ms', more = '' } = {}) =>
    writeFile(join(folder, 'sluice.yaml'), `source: { url: "${url}" }\nlake: ${lake}\nbatch: { interval: ${interval} }\n${more}`);
  const changes = () =>
    ok<LoggedChange[]>(
      'query',
      `SELECT cdc_op AS op, table_schema || '.' || table_name AS "table", data::VARCHAR AS data, cdc_seq::VARCHAR AS seq
       FROM main.cdc ORDER BY batch_id, cdc_seq`,
    );

  await configure();
  // Once a process, for a fresh checkout. `run` never fetches anything.
  extensions ??= ok('extensions', '--install').then(() => {});
  await extensions;
  return {
    folder,
    url: database.url,
    catalogUrl: catalogDatabase?.url,
    sql,
    configure,
    start: startOne,
    run,
    ok,
    reading: (work) => {
      const config = loadConfig({ file: join(folder, 'sluice.yaml'), env: process.env, cwd: folder, flags: {} });
      return withEngine(config, process, async (engine) => {
        await loadExtensions(engine, extensionsFor(config.lake, 'fifo'), placesFor(config));
        const open = await openForQuery(engine, config.lake);
        try {
          return await work(async (text) => (await open.query(text)).rows);
        } finally {
          await open.close();
        }
      });
    },
    changes,
    verify: async (options = {}) => {
      const logged = await changes();
      expect(new Set(logged.map(({ seq }) => seq)).size, 'every cdc_seq once').toBe(logged.length);
      await expectReplayEqualsTable(sql, { ...options, changes: logged });
      return logged;
    },
    [Symbol.asyncDispose]: async () => {
      await sql.end({ timeout: 1 });
      await database.drop().catch(() => {});
      await catalogDatabase?.drop().catch(() => {});
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** The lines of a daemon's log, parsed. An error that ended it is none. */
export function logLines(
  child: Pick<Child, 'log'>,
): { level: string; msg: string; code?: string; remedy?: string; recovered?: boolean; rows?: number }[] {
  return child
    .log()
    .split('\n')
    .slice(0, -1)
    .filter((line) => line.startsWith('{'))
    .map((line) => JSON.parse(line));
}

/** How many batches a daemon has brought, by its log. */
export function batchesOf(child: Pick<Child, 'log'>): number {
  return logLines(child).filter(({ msg }) => msg === 'batch done').length;
}
