import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect } from 'vitest';
import { placesFor, withEngine, withTempDirectory } from '../../src/cli/lake.ts';
import { loadConfig } from '../../src/config/index.ts';
import { compose, drainOnce } from '../../src/daemon/index.ts';
import { extensionsFor, loadExtensions, openForQuery, whileLocked } from '../../src/lake/index.ts';
import { connect, install, type Sql, track } from '../../src/source/index.ts';
import { silent } from '../lake/support.ts';
import { type Child, start } from '../support/child.ts';
import type { LakeKind } from '../support/deployment.ts';
import { freshDatabase, type PostgresAddress } from '../support/postgres.ts';
import { expectReplayEqualsTable, type LoggedChange } from '../support/replay.ts';
import type { ChildOptions } from './child.ts';

export { LAKES, type LakeKind } from '../support/deployment.ts';

/** A tracked database with an empty lake, a configuration, and what a crash test does with them. */
export interface Scene extends AsyncDisposable {
  readonly sql: Sql;
  readonly config: string;
  /** Install schema audit and track the tables: done once, and again for a test that has uninstalled it. */
  install(): Promise<void>;
  /** Start a child (see child.ts). */
  child(options: Omit<ChildOptions, 'config'>): Child;
  /** Drain until the buffer is empty, in this process; rejects if that fails. */
  drain(): Promise<void>;
  /** Rows of a query on the lake. */
  query(sql: string): Promise<Record<string, unknown>[]>;
  /** Every change exactly once, and the log replayed equals the tables. Returns the number of changes. */
  verify(): Promise<number>;
}

const TABLES = `
  CREATE TABLE item (id int PRIMARY KEY, v text, n numeric);
  CREATE TABLE part (id int, d int, v text, PRIMARY KEY (id, d)) PARTITION BY LIST (d);
  CREATE TABLE part_0 PARTITION OF part FOR VALUES IN (0);
  CREATE TABLE part_1 PARTITION OF part FOR VALUES IN (1);
  CREATE TABLE journal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, what text);`;

/** Build one on a server that is running. `catalog` is where a PostgreSQL catalog goes; default: the same server. */
export async function createScene(server: PostgresAddress, kind: LakeKind, catalog: PostgresAddress = server): Promise<Scene> {
  const database = await freshDatabase(server);
  const catalogDatabase = kind === 'DuckLake on PostgreSQL' ? await freshDatabase(catalog) : undefined;
  const folder = await mkdtemp(join(tmpdir(), 'sluice-crash-'));
  const sql = connect({ url: database.url, applicationName: 'scene', max: 4 });
  await sql.unsafe(TABLES);
  const installAndTrack = async () => {
    await install(database.url);
    await track(
      sql,
      ['item', 'part', 'journal'].map((name) => ({ schema: 'public', name })),
    );
  };
  await installAndTrack();
  const config = join(folder, 'sluice.yaml');
  const lake = catalogDatabase
    ? `{ type: ducklake, catalog: "${catalogDatabase.url}", data: ./lake }`
    : '{ type: duckdb, path: ./lake.duckdb }';
  await writeFile(config, `source: { url: "${database.url}" }\nlake: ${lake}\nbatch: { interval: 50ms }\n`);

  const script = fileURLToPath(new URL('child.ts', import.meta.url));
  const child = (options: Omit<ChildOptions, 'config'>): Child => start(process.execPath, [script, JSON.stringify({ ...options, config })]);

  const load = (env: NodeJS.ProcessEnv) => loadConfig({ file: config, env, cwd: folder, flags: {} });
  const query = (text: string) => {
    const loaded = load({});
    return whileLocked(() =>
      withEngine(loaded, process, async (engine) => {
        await loadExtensions(engine, extensionsFor(loaded.lake, 'fifo'), placesFor(load(process.env)));
        const open = await openForQuery(engine, loaded.lake);
        try {
          return (await open.query(text)).rows;
        } finally {
          await open.close();
        }
      }),
    );
  };

  return {
    sql,
    config,
    install: installAndTrack,
    child,
    query,
    drain: () =>
      withTempDirectory(load(process.env), async (loaded) => {
        await using composition = await compose({ config: loaded, log: silent, places: placesFor(loaded) });
        await drainOnce({ ports: composition.ports, log: silent });
      }),
    verify: async () => {
      const rows =
        await query(`SELECT cdc_op AS op, table_schema || '.' || table_name AS "table", data::VARCHAR AS data, cdc_seq::VARCHAR AS seq
        FROM main.cdc ORDER BY batch_id, cdc_seq`);
      const changes = rows as unknown as LoggedChange[];
      expect(new Set(changes.map((change) => change.seq)).size, 'every cdc_seq once').toBe(changes.length);
      await expectReplayEqualsTable(sql, { changes });
      return changes.length;
    },
    [Symbol.asyncDispose]: async () => {
      await sql.end({ timeout: 1 });
      await database.drop().catch(() => {});
      await catalogDatabase?.drop().catch(() => {});
      await rm(folder, { recursive: true, force: true });
    },
  };
}

/** Writers that don't know of sluice: small transactions, rolled back now and then, with savepoints, key changes and moved rows. */
export class Workload {
  readonly #sql: Sql;
  #stopping = false;
  #writers: Promise<void>[];
  /** Transactions that committed. */
  committed = 0;

  constructor(sql: Sql) {
    this.#sql = sql;
    this.#writers = [1, 2].map((writer) => this.#write(writer));
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await Promise.all(this.#writers);
  }

  async #write(writer: number): Promise<void> {
    const random = (below: number) => Math.floor(Math.random() * below);
    while (!this.#stopping) {
      const id = writer * 1000 + random(40);
      const rollback = random(6) === 0;
      try {
        await this.#sql.begin(async (tx) => {
          await tx`INSERT INTO item VALUES (${id}, ${`v${random(1e6)}`}, ${random(1e6) / 1e3}) ON CONFLICT (id) DO UPDATE SET v = excluded.v, n = excluded.n`;
          await tx`INSERT INTO journal (what) SELECT 'i' || g FROM generate_series(1, ${1 + random(3)}) g`;
          if (random(3) === 0) await tx`DELETE FROM item WHERE id = ${writer * 1000 + random(40)}`;
          if (random(4) === 0)
            await tx`UPDATE item SET id = id + 100 WHERE id = ${id} AND NOT EXISTS (SELECT FROM item WHERE id = ${id + 100})`;
          await tx`INSERT INTO part VALUES (${id}, ${random(2)}, 'p') ON CONFLICT DO NOTHING`;
          if (random(3) === 0)
            await tx`UPDATE part p SET d = 1 - d, v = 'moved' WHERE id = ${id} AND NOT EXISTS (SELECT FROM part o WHERE o.id = p.id AND o.d = 1 - p.d)`;
          await tx
            .savepoint(async (sp) => {
              await sp`UPDATE item SET v = 'undone' WHERE id BETWEEN ${writer * 1000} AND ${writer * 1000 + 50}`;
              if (random(2) === 0) throw new Undo();
            })
            .catch(ignoreUndo);
          if (rollback) throw new Undo();
        });
        this.committed++;
      } catch (error) {
        ignoreUndo(error);
      }
      // At full speed the writers take the core that the daemon needs to start. Under full load: test/e2e/pgbench.test.ts.
      await sleep(random(10));
    }
  }
}

class Undo extends Error {}

function ignoreUndo(error: unknown): void {
  if (!(error instanceof Undo)) throw error;
}
