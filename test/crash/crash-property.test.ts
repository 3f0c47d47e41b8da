import { expect, test } from 'vitest';
import { withTempDirectory } from '../../src/cli/lake.ts';
import { type Config, loadConfig } from '../../src/config/index.ts';
import { connect, type Sql, track } from '../../src/source/index.ts';
import { blame, runTransaction } from '../pg/run-program.ts';
import { type LoggedChange, replayDifferences } from '../support/replay.ts';
import { search, searchSeconds, searchTimeout } from '../support/search.ts';
import { sharedPostgres } from '../support/shared.ts';
import { expectStateEqualsTable } from '../support/state.ts';
import { type Action, type CrashProgram, slots, withDaemonsInProcess, withProcesses } from './crash-programs.ts';
import { MortalDaemon } from './mortal-daemon.ts';
import { createScene, LAKES, type LakeKind, type Scene } from './scene.ts';

/**
 * Invariants 1 and 2 as a property: a random program of the application, with drains between and inside its transactions that are killed,
 * stall, lose answers and overlap, and changes of the tables' columns, names and indexes between them. Then everything is drained, and the log in the lake
 * - holds exactly what the committed transactions captured, every cdc_seq once, and so nothing of one that was rolled back;
 * - replayed in its order (batch_id, cdc_seq) equals every table;
 * - equals, as typed state and as what the history has as current, every table (invariant 3), but for partitions that were truncated by hash;
 * - and no gap was named, for nothing was lost; loads, which begin and die at any moment, change nothing of all this, and find no difference.
 * Nothing waits for the other: a daemon that waited for a lock of the program's transaction, or a schema change that waited for a daemon, fails.
 *
 * SLUICE_PROPERTY_SECONDS: how long to search, over all tests of this file. SLUICE_PROPERTY_SEED: repeat a run (the failure prints it).
 */
const SECONDS = searchSeconds(30);

/** A program of a few seconds that takes longer stands still. */
const STANDSTILL_MS = 90_000;

/** Sessions of this database that wait or have a transaction open, for people. */
const WAITS = `SELECT concat_ws(' ', pid, application_name, state, 'waits for ' || nullif(pg_blocking_pids(pid)::text, '{}'), left(query, 200)) AS text
  FROM pg_stat_activity WHERE datname = current_database() AND xact_start IS NOT NULL AND pid <> pg_backend_pid()`;

const waits = async (sql: Sql): Promise<string> => (await sql.unsafe<{ text: string }[]>(WAITS)).map(({ text }) => text).join('\n');

/** One row of the log, as the transaction that caused it saw it before its commit. */
interface Captured {
  readonly op: string;
  readonly xid: string;
  readonly data: string | null;
}

/** Rows of the buffer that are this transaction's. Nobody else can have taken them, and it holds the buffer against a swap. */
const OWN = `SELECT cdc_seq::text AS seq, cdc_op::text AS op, cdc_xid::text AS xid, data::text AS data
  FROM audit.cdc WHERE cdc_xid = pg_current_xact_id_if_assigned()`;

/** What acts on the daemons: in this process, or as processes. */
interface Daemons extends AsyncDisposable {
  act(action: Action): Promise<void>;
  /** Bring everything into the lake; rejects where that does not come to an end. */
  drainAll(): Promise<void>;
  /** Rows of a query on the lake, after `drainAll`. */
  query(text: string): Promise<Record<string, unknown>[]>;
}

class Application implements AsyncDisposable {
  /** By cdc_seq, what committed. */
  readonly expected = new Map<string, Captured>();
  readonly session: Sql;
  readonly #long: Sql;
  readonly #schema: Sql;
  #holding = false;
  #rows = 0;

  constructor(url: string) {
    this.session = connect({ url, applicationName: 'application', max: 1 });
    this.#long = connect({ url, applicationName: 'application, long', max: 1 });
    this.#schema = connect({ url, applicationName: 'application, schema', max: 1, lockTimeoutMs: 2_000 });
  }

  /** Read what the session's transaction captured; call the result once it has committed. */
  async captured(session: Sql = this.session): Promise<() => void> {
    const rows = await session.unsafe<(Captured & { seq: string })[]>(OWN);
    return () => {
      for (const { seq, ...row } of rows) this.expected.set(seq, row);
    };
  }

  /** Change the schema, between the session's transactions. It may fail for its own reasons, but has nobody to wait for. */
  async change(text: string): Promise<void> {
    try {
      await this.#schema.unsafe(text);
    } catch (error) {
      if ((error as { code?: string }).code === '55P03') throw new Error(`${text} had to wait for\n${await waits(this.#schema)}`);
      blame(error, text);
    }
  }

  async hold(): Promise<void> {
    if (!this.#holding) await this.#long.unsafe('BEGIN');
    this.#holding = true;
    const id = ++this.#rows;
    await this.#long.unsafe(`INSERT INTO held VALUES (${id}, 0); UPDATE held SET v = v + 1`);
  }

  async letGo(end: 'commit' | 'rollback'): Promise<void> {
    if (!this.#holding) return;
    this.#holding = false;
    const commit = await this.captured(this.#long);
    await this.#long.unsafe(end);
    if (end === 'commit') commit();
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([this.session, this.#long, this.#schema].map((one) => one.end({ timeout: 1 })));
  }
}

/** Two daemons in this process. */
class InProcess implements Daemons {
  readonly #config: Config;
  readonly #sql: Sql;
  readonly #daemons: (MortalDaemon | undefined)[] = [undefined, undefined];

  constructor(config: Config, sql: Sql) {
    this.#config = config;
    this.#sql = sql;
  }

  async act(action: Action): Promise<void> {
    if (action.do === 'cut') await this.#cut();
    if (!('daemon' in action)) return;
    const daemon = this.#daemons[action.daemon];
    if (action.do === 'kill') await this.#kill(action.daemon);
    else if (action.do === 'wake') await this.#after(action.daemon, daemon?.asleep ? daemon.wake() : undefined);
    else if (!daemon?.asleep) await this.#after(action.daemon, (await this.#running(action.daemon)).round(action.fate));
  }

  async drainAll(): Promise<void> {
    for (const seat of [0, 1]) await this.#after(seat, this.#daemons[seat]?.asleep ? this.#daemons[seat]?.wake() : undefined);
    await this.#kill(1);
    const last = await this.#running(0);
    for (let rounds = 1; (await last.round()) !== 'done'; rounds++) expect(rounds, 'rounds until all is drained').toBeLessThan(6);
  }

  async query(text: string): Promise<Record<string, unknown>[]> {
    return (await this.#running(0)).query(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const seat of [0, 1]) await this.#kill(seat);
  }

  async #running(seat: number): Promise<MortalDaemon> {
    this.#daemons[seat] ??= await MortalDaemon.start(this.#config);
    return this.#daemons[seat];
  }

  async #after(seat: number, outcome: Promise<unknown> | undefined): Promise<void> {
    if ((await outcome) === 'killed') this.#daemons[seat] = undefined;
  }

  async #kill(seat: number): Promise<void> {
    const daemon = this.#daemons[seat];
    this.#daemons[seat] = undefined;
    await daemon?.kill();
  }

  async #cut(): Promise<void> {
    await this.#sql`SELECT pg_terminate_backend(pid, 5000) FROM pg_locks
      WHERE locktype = 'advisory' AND database = (SELECT oid FROM pg_database WHERE datname = current_database())`;
  }
}

/** Daemons that are processes, killed by a signal; one at a time, for each takes a second. */
class Processes implements Daemons {
  readonly #scene: Scene;

  constructor(scene: Scene) {
    this.#scene = scene;
  }

  async act(action: Action): Promise<void> {
    if (action.do !== 'drain') return;
    const { fate } = action;
    const where = fate?.is === 'dies' && fate.at !== 'in-lake' ? { point: fate.at, hit: fate.hit } : {};
    const { code, signal, log } = await this.#scene.child({ once: true, ...where }).ended;
    // A partition that the program has truncated and not committed: for 15 s it tries again, and holds nobody up.
    if (code === 1) expect(log).toContain('55P03');
    else expect(signal ?? code, log).toBeOneOf([0, 'SIGKILL']);
  }

  drainAll(): Promise<void> {
    return this.#scene.drain();
  }

  query(text: string): Promise<Record<string, unknown>[]> {
    return this.#scene.query(text);
  }

  async [Symbol.asyncDispose](): Promise<void> {}
}

/** A database and a lake that one program after the other uses, and what holds of them. */
class Arena implements AsyncDisposable {
  readonly #scene: Scene;
  readonly #config: Config;
  /** Of the program before this one. */
  #lastBatch = 0;

  private constructor(scene: Scene, config: Config) {
    this.#scene = scene;
    this.#config = config;
  }

  static async open(kind: LakeKind): Promise<Arena> {
    const scene = await createScene(sharedPostgres(), kind);
    const config = loadConfig({ file: scene.config, env: process.env, cwd: process.cwd(), flags: {} });
    await scene.drain(); // makes the lake
    return new Arena(scene, config);
  }

  /** One that stands still is told from one that is slow by who waits for whom, and is then made to fail, so that its seed is named. */
  async execute(one: CrashProgram, where: 'in process' | 'processes'): Promise<void> {
    const { sql } = this.#scene;
    let stands: string | undefined;
    const watch = setTimeout(async () => {
      stands = `it stands still:\n${await waits(sql)}`;
      await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`;
    }, STANDSTILL_MS);
    try {
      await this.#execute(one, where);
    } catch (error) {
      throw stands === undefined ? error : new Error(stands, { cause: error });
    } finally {
      clearTimeout(watch);
    }
    expect(stands).toBe(undefined);
  }

  async #execute({ program, actions }: CrashProgram, where: 'in process' | 'processes'): Promise<void> {
    const { sql } = this.#scene;
    const names = [...program.tables, 'held'];
    await sql.unsafe('DROP SCHEMA public CASCADE; CREATE SCHEMA public; DELETE FROM audit.tracked_table');
    for (const text of program.ddl) await sql.unsafe(text).catch((error) => blame(error, text));
    await sql.unsafe('CREATE TABLE held (id int PRIMARY KEY, v int)');
    await track(
      sql,
      names.map((name) => ({ schema: 'public', name })),
    );
    await using application = new Application(this.#config.source.url);
    await withTempDirectory(this.#config, async (config) => {
      await using daemons = where === 'in process' ? new InProcess(config, sql) : new Processes(this.#scene);
      const count = slots(program);
      const bySlot = Map.groupBy(actions, ({ slot }) => slot % count);
      let slot = 0;
      const meanwhile = async () => {
        for (const { action } of bySlot.get(slot++) ?? []) {
          if (action.do === 'hold') await application.hold();
          else if (action.do === 'let go') await application.letGo(action.end);
          else if (action.do === 'load') {
            const name = program.tables[action.table % program.tables.length] ?? '';
            await sql`SELECT audit.request_load(table_id, ${action.mode}) FROM audit.tracked_table WHERE relid = to_regclass(${name})`;
          } else await daemons.act(action);
        }
      };
      for (const transaction of program.transactions) {
        await meanwhile();
        // Not another key while changes wait: which of them the old one tells apart the log does not say (docs/limits.md).
        for (const text of transaction.before) if (!text.includes('PRIMARY KEY')) await application.change(text);
        let commit = () => {};
        const end = await runTransaction(application.session, transaction, {
          afterStep: meanwhile,
          beforeCommit: async () => {
            commit = await application.captured();
          },
        });
        if (end === 'commit') commit();
      }
      await application.letGo('commit');
      await daemons.drainAll();
      await this.#verify(daemons, application.expected, names);
    });
  }

  async #verify(daemons: Daemons, expected: ReadonlyMap<string, Captured>, names: readonly string[]): Promise<void> {
    const rows = (await daemons.query(
      `SELECT cdc_op AS op, table_schema || '.' || table_name AS "table", data::VARCHAR AS data, cdc_seq::VARCHAR AS seq, cdc_xid::VARCHAR AS xid,
         batch_id::INT AS batch, (SELECT count(*) FROM sluice.gap)::INT AS gaps
       FROM main.cdc WHERE batch_id > ${this.#lastBatch} ORDER BY batch_id, cdc_seq`,
    )) as unknown as (LoggedChange & Captured & { batch: number; gaps: number })[];
    const logged = rows.map(({ seq, op, xid, data }) => ({ seq, op, xid, data })).sort(bySeq);
    expect(logged).toEqual([...expected].map(([seq, row]) => ({ seq, ...row })).sort(bySeq));
    expect(await replayDifferences(this.#scene.sql, { changes: rows, columnsDiffer: true })).toEqual([]);
    // A table that this program has not changed is in the lake as an earlier program's table of the same name.
    for (const name of names.filter((one) => rows.some(({ table }) => table === `public.${one}`))) {
      await expectStateEqualsTable(this.#scene.sql, this.#scene.query, 'public', name);
    }
    expect(await this.#scene.sql`SELECT FROM audit.batch WHERE state = 'open'`).toHaveLength(0);
    expect(await daemons.query('SELECT mode, began_ts FROM sluice.load WHERE done_ts IS NULL'), 'loads that are not done').toEqual([]);
    const found = await daemons.query('SELECT * FROM sluice.difference');
    expect(found, 'differences though nothing was lost').toEqual([]);
    const last = rows.at(-1) ?? { gaps: 0, batch: this.#lastBatch };
    expect(last.gaps, 'gaps named, though nothing was lost').toBe(0);
    this.#lastBatch = last.batch;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#scene[Symbol.asyncDispose]();
  }
}

const bySeq = (a: { seq: string }, b: { seq: string }) => Number(a.seq) - Number(b.seq);

async function searchIn(kind: LakeKind, where: 'in process' | 'processes', seconds: number): Promise<void> {
  let arena: Arena | undefined = await Arena.open(kind);
  const programs = where === 'in process' ? withDaemonsInProcess : withProcesses;
  try {
    const runs = await search(programs, seconds, async (one) => {
      arena ??= await Arena.open(kind);
      try {
        await arena.execute(one, where);
      } catch (error) {
        // It may have left anything behind, and the next run must depend on its program alone.
        await arena[Symbol.asyncDispose]();
        arena = undefined;
        throw error;
      }
    });
    if (process.env.SLUICE_PROPERTY_SECONDS) process.stderr.write(`${kind}, ${where}: ${runs} programs\n`);
  } finally {
    await arena?.[Symbol.asyncDispose]();
  }
}

test.each(LAKES)('two daemons that die, stall and lose answers beside a random program, %s', { timeout: searchTimeout(SECONDS) }, (kind) =>
  searchIn(kind, 'in process', SECONDS * 0.4),
);

test('kill -9 of daemons that are processes, beside a random program', { timeout: searchTimeout(SECONDS) }, () =>
  searchIn('DuckLake on PostgreSQL', 'processes', SECONDS * 0.2),
);
