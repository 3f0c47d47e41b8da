import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { placesFor } from '../../src/cli/lake.ts';
import { loadConfig } from '../../src/config/index.ts';
import { type Composition, drainOnce } from '../../src/daemon/index.ts';
import { attachStatement, type LakeConfig } from '../../src/lake/config.ts';
import {
  extensionsFor,
  loadExtensions,
  openEngine,
  openForQuery,
  type RebuildOptions,
  type Rebuilt,
  type Row,
  readTables,
  rebuildTable,
} from '../../src/lake/index.ts';
import type { LoadMode } from '../../src/model/load.ts';
import { connect, install, type Sql, track } from '../../src/source/index.ts';
import { composeForTest } from './compose.ts';
import { freshDatabase, type PostgresAddress } from './postgres.ts';
import { expectStateEqualsTable } from './state.ts';

/** A tracked database and its lake, driven within this process. */
export interface Mirror extends AsyncDisposable {
  readonly sql: Sql;
  readonly url: string;
  readonly composition: Composition;
  readonly lake: LakeConfig;
  /** Run statements of the application. */
  run(text: string): Promise<void>;
  track(...names: string[]): Promise<void>;
  /** Drain until the buffer is empty. */
  drain(): Promise<void>;
  /** Ask for a load and do it; returns its row of sluice.load. */
  load(name: string, mode: LoadMode): Promise<Row>;
  /** Stop the daemon and start it again with these entries of `tables`, in the flow style of YAML. */
  restart(tables: string): Promise<void>;
  /** Write to the lake by hand, as `lake`. */
  damage(...statements: string[]): Promise<void>;
  /** `sluice rebuild`, with an engine of its own as the command has. */
  rebuild(name: string, options?: RebuildOptions): Promise<Rebuilt>;
  /** Rows of a query on the lake. */
  query(sql: string, at?: string): Promise<Row[]>;
  /** The state of these tables (schema.name, or `schema.name as schema.name` in the lake) equals the source, and so does what the history has as current. */
  expectState(...tables: string[]): Promise<void>;
}

/** Of `schema.table`, or of a table of `public`. */
function nameOf(text: string): [string, string] {
  const [schema = '', table] = text.split('.');
  return table === undefined ? ['public', schema] : [schema, table];
}

export const MIRRORS = ['DuckDB file', 'DuckLake on SQLite', 'DuckLake on PostgreSQL'] as const;

/**
 * For tests that are about what happens when, not about a kind of lake: the fastest one, a fifth of the time of a DuckLake. SLUICE_ALL_LAKES=1: each of them.
 */
export const ANY_MIRROR: readonly (typeof MIRRORS)[number][] = process.env.SLUICE_ALL_LAKES === '1' ? MIRRORS : ['DuckDB file'];

export async function openMirror(
  server: PostgresAddress,
  kind: (typeof MIRRORS)[number],
  { staging = 'auto', chunkRows }: { readonly staging?: 'auto' | 'fifo'; readonly chunkRows?: number } = {},
): Promise<Mirror> {
  const database = await freshDatabase(server);
  const catalog = kind === 'DuckLake on PostgreSQL' ? await freshDatabase(server) : undefined;
  const folder = await mkdtemp(join(tmpdir(), 'sluice-mirror-'));
  const sql = connect({ url: database.url, applicationName: 'mirror', max: 4 });
  await install(database.url);
  const file = join(folder, 'sluice.yaml');
  const lake =
    kind === 'DuckDB file'
      ? '{ type: duckdb, path: ./lake.duckdb }'
      : `{ type: ducklake, catalog: "${catalog ? catalog.url : 'sqlite:./catalog.sqlite'}", data: ./lake }`;
  const log = pino({ level: 'silent' });
  const configure = async (tables = '') => {
    await writeFile(file, `source: { url: "${database.url}" }\nlake: ${lake}\nstaging: ${staging}\ntables: [${tables}]\n`);
    return loadConfig({ file, env: process.env, cwd: folder, flags: {} });
  };
  const config = await configure();
  let composition = await composeForTest({ config, log, chunkRows });
  const reader = await openEngine({ log, threads: 1 });
  await loadExtensions(reader, extensionsFor(config.lake, 'fifo'), placesFor(config));

  const query = async (text: string, at?: string): Promise<Row[]> => {
    await composition.ports.lake.release();
    const open = await openForQuery(reader, config.lake, at === undefined ? {} : { at });
    try {
      return (await open.query(text)).rows;
    } finally {
      await open.close();
    }
  };
  const other = await openEngine({ log, threads: 1 });
  await loadExtensions(other, extensionsFor(config.lake, 'fifo'), placesFor(config));
  return {
    sql,
    lake: config.lake,
    damage: async (...statements) => {
      await composition.ports.lake.release();
      await other.run(attachStatement(config.lake, 'write'));
      try {
        for (const text of statements) await other.run(text);
      } finally {
        await other.run('DETACH lake');
      }
    },
    rebuild: async (name, options) => {
      await composition.ports.lake.release();
      const table = (await readTables(other, config.lake)).find(({ source }) => source.name === name);
      if (table === undefined) throw new Error(`the lake has no table ${name}`);
      return rebuildTable(other, config.lake, table, options);
    },
    url: database.url,
    get composition() {
      return composition;
    },
    restart: async (tables) => {
      await composition[Symbol.asyncDispose]();
      composition = await composeForTest({ config: await configure(tables), log, chunkRows });
    },
    run: async (text) => {
      await sql.unsafe(text);
    },
    track: async (...names) => {
      await track(
        sql,
        names.map((name) => {
          const [schema, table] = nameOf(name);
          return { schema, name: table };
        }),
      );
    },
    drain: () => drainOnce({ ports: composition.ports, log }),
    load: async (name, mode) => {
      const [schema, table] = nameOf(name);
      const [row] =
        await sql`SELECT audit.request_load(table_id, ${mode}) AS id FROM audit.status WHERE (schema_name, table_name) = (${schema}, ${table})`;
      await drainOnce({ ports: composition.ports, log });
      const [load] = await query(
        `SELECT "rows", missing, different, extra FROM sluice.load WHERE load_id = '${row?.id}' AND done_ts IS NOT NULL`,
      );
      return load ?? {};
    },
    query,
    expectState: async (...tables) => {
      for (const one of tables) {
        const [[schema, table], inLake = [schema, table]] = one.split(' as ').map(nameOf) as [[string, string], [string, string]?];
        await expectStateEqualsTable(sql, query, schema, table, { schema: inLake[0], table: inLake[1] });
      }
    },
    [Symbol.asyncDispose]: async () => {
      await composition[Symbol.asyncDispose]();
      await reader.close();
      await other.close();
      await sql.end({ timeout: 1 });
      await database.drop().catch(() => {});
      await catalog?.drop().catch(() => {});
      await rm(folder, { recursive: true, force: true });
    },
  };
}
