import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect, install, type Sql, track } from '../../src/source/index.ts';
import { freshDatabase, startPostgres } from '../../test/support/postgres.ts';
import { toolFolder } from '../../test/support/tools.ts';
import { barChart } from '../chart.ts';
import { timed } from '../lab.ts';
import type { Figure, Goal, Scale, Section } from '../result.ts';
import { quantile, ratios } from '../stats.ts';
import { makeWide } from '../wide.ts';
import { bulks, PAIR, TPCB, WIDE, type Workload } from './workloads.ts';

/** What captures: by SQL of this folder, or ours. */
const SIDES = {
  'no capture': async () => {},
  floor: ({ sql, tables }: Database) => bySql(sql, 'floor', tables, 'STATEMENT'),
  naive: ({ sql, tables }: Database) => bySql(sql, 'naive', tables, 'ROW'),
  'sluice, by row': (database: Database) => bySluice(database, 'row', 'unlogged'),
  'sluice, by statement': (database: Database) => bySluice(database, 'statement', 'unlogged'),
  'sluice, logged buffer': (database: Database) => bySluice(database, 'row', 'logged'),
} as const;
type Side = keyof typeof SIDES;
const ALL = Object.keys(SIDES) as Side[];
const OURS: Side = 'sluice, by row';

interface Database {
  readonly url: string;
  readonly sql: Sql;
  readonly tables: readonly string[];
}

async function bySql(sql: Sql, file: string, tables: readonly string[], each: string): Promise<void> {
  await sql.unsafe(readFileSync(new URL(`${file}.sql`, import.meta.url), 'utf8'));
  for (const table of tables) {
    for (const op of ['INSERT', 'UPDATE', 'DELETE'])
      await sql`CREATE TRIGGER ${sql(`capture_${op}`)} AFTER ${sql.unsafe(op)} ON ${sql(table)} FOR EACH ${sql.unsafe(each)} EXECUTE FUNCTION audit.capture()`;
  }
}

async function bySluice({ url, sql, tables }: Database, capture: 'row' | 'statement', buffer: 'unlogged' | 'logged'): Promise<void> {
  await install(url, { buffer });
  await track(
    sql,
    tables.map((name) => ({ schema: 'public', name, options: { capture } })),
  );
}

interface Sample {
  readonly tps: number;
  /** Milliseconds. */
  readonly p50: number;
  readonly p99: number;
  /** Of the server's backends, in microseconds a transaction. */
  readonly cpuUs: number;
}

/**
 * What capture costs the application. pgbench on one server, a database for each side, sides in turns; no daemon runs, and the buffer is emptied between turns.
 * Bulk statements: the time of each, less that without capture in the same round, a row.
 */
export async function source(scale: Scale): Promise<Section> {
  const quick = scale === 'quick';
  const rounds = quick ? 1 : 5;
  const seconds = quick ? 1 : 2;
  const rows = quick ? 10_000 : 300_000;
  const pgbench = toolFolder('pgbench');
  if (pgbench === undefined) throw new Error('pgbench is not here: it comes with PostgreSQL’s server (Debian: postgresql)');
  const version = Number(process.env.SLUICE_BENCH_PG ?? 18) as 15 | 18;
  const settings = { fsync: 'on', full_page_writes: 'on', shared_buffers: '512MB', max_wal_size: '8GB', autovacuum: 'off' };
  await using server = await startPostgres(version, { settings });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const make = async (side: Side, schema: string, tables: readonly string[]): Promise<Database> => {
    const { url } = await freshDatabase(server);
    const sql = connect({ url, applicationName: 'bench', max: 1 });
    if (schema) await sql.unsafe(schema);
    else await makeWide(sql);
    const database = { url, sql, tables };
    await SIDES[side](database);
    await sql`VACUUM ANALYZE`;
    return database;
  };
  const run = async (
    url: string,
    script: string,
    { clients, commit, args }: { clients: number; commit: string; args: string[] },
  ): Promise<Sample> => {
    const logs = await mkdtemp(join(folder, 'log-'));
    const before = await cpuOfBackends(server.dataDir);
    const flags = ['-n', '-c', String(clients), '-l', '--log-prefix', join(logs, 'log'), ...args, '-f', script];
    const env = { ...process.env, PGOPTIONS: `-c synchronous_commit=${commit}` };
    const { stdout } = await promisify(execFile)(join(pgbench, 'pgbench'), [...flags, url], { env });
    // A backend that has ended counts when its postmaster has taken notice of it.
    await sleep(200);
    const transactions = Number(/actually processed: (\d+)/.exec(stdout)?.[1]);
    const cpuUs = (1e6 * ((await cpuOfBackends(server.dataDir)) - before)) / transactions;
    const latencies: number[] = [];
    for (const file of await readdir(logs)) {
      for (const line of (await readFile(join(logs, file), 'utf8')).split('\n'))
        if (line) latencies.push(Number(line.split(' ')[2]) / 1000);
    }
    await rm(logs, { recursive: true });
    return { tps: Number(/tps = ([\d.]+)/.exec(stdout)?.[1]), p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), cpuUs };
  };
  const empty = (side: Side, { sql }: Database) => (side === 'no capture' ? undefined : sql`TRUNCATE audit.cdc`);
  const figures: Figure[] = [];
  const wal: Record<string, Record<string, number[]>> = {};
  const bufferBytes: Record<string, number[]> = {};
  const tpsOf = {} as Record<string, Record<Side, number[]>>;

  const measure = async (workload: Workload, cases: readonly { clients: number; commit: string }[], sides: readonly Side[]) => {
    const script = join(folder, 'script.sql');
    await writeFile(script, workload.script);
    const databases = {} as Record<Side, Database>;
    for (const side of sides) {
      const database = await make(side, workload.schema, workload.tables);
      databases[side] = database;
      // Of a fixed number of transactions, the first of which bring full page images.
      const some = { clients: 1, commit: 'off', args: ['-t', quick ? '200' : '2000'] };
      await run(database.url, script, some);
      await empty(side, database);
      const [from] = await database.sql`SELECT pg_current_wal_insert_lsn()::text AS lsn`;
      await run(database.url, script, some);
      const [to] = await database.sql`SELECT (pg_current_wal_insert_lsn() - ${from?.lsn}::pg_lsn)::float8 AS bytes`;
      const changes = Number(some.args[1]) * workload.changes;
      wal[workload.title] = { ...wal[workload.title], [side]: [to?.bytes / changes] };
      if (side === 'no capture') continue;
      const [size] = await database.sql`SELECT pg_table_size('audit.cdc')::float8 AS bytes`;
      bufferBytes[`${side}: ${workload.title}`] = [size?.bytes / changes];
    }
    for (const { clients, commit } of cases) {
      const samples = Object.fromEntries(sides.map((side) => [side, [] as Sample[]])) as Record<Side, Sample[]>;
      for (let round = 0; round < rounds; round++) {
        for (const side of sides.map((_, at) => sides[(at + round) % sides.length] as Side)) {
          await empty(side, databases[side]);
          samples[side].push(await run(databases[side].url, script, { clients, commit, args: ['-T', String(seconds)] }));
        }
      }
      const name = `${workload.title}; ${clients} client${clients > 1 ? 's' : ''}, synchronous_commit=${commit}`;
      const figure = (what: string, unit: string, of: keyof Sample): Figure => ({
        name: `${what}: ${name}`,
        unit,
        base: 'no capture',
        sides: Object.fromEntries(sides.map((side) => [side, samples[side].map((one) => one[of])])),
      });
      figures.push(figure('Transactions per second', '1/s', 'tps'), figure('CPU of the backends', 'µs a transaction', 'cpuUs'));
      figures.push(figure('Latency p50', 'ms', 'p50'), figure('Latency p99', 'ms', 'p99'));
      tpsOf[name] = Object.fromEntries(sides.map((side) => [side, samples[side].map(({ tps }) => tps)])) as Record<Side, number[]>;
    }
    for (const { sql } of Object.values(databases)) await sql.end();
  };

  const both = [1, 2, 4].flatMap((clients) => ['off', 'on'].map((commit) => ({ clients, commit })));
  const few = ALL.filter((side) => side !== 'sluice, logged buffer');
  await measure(PAIR, quick ? [{ clients: 2, commit: 'off' }] : both, quick ? few : ALL);
  for (const workload of quick ? [WIDE] : [TPCB, WIDE]) await measure(workload, [{ clients: 2, commit: 'off' }], few);

  // Bulk statements.
  const bulkSides = few.filter((side) => side !== 'floor');
  const file = join(server.dataDir, 'wide.copy');
  const bulk: Record<string, Record<string, number[]>> = {};
  const databases: [Side, Database][] = [];
  for (const side of bulkSides) databases.push([side, await make(side, '', ['wide'])]);
  for (let round = 0; round < (quick ? 1 : 5); round++) {
    for (const { title, before, statement } of bulks(rows, file)) {
      const took: Partial<Record<Side, number>> = {};
      for (const [side, database] of databases) {
        if (before) await database.sql.unsafe(before);
        await empty(side, database);
        took[side] = await timed(() => database.sql.unsafe(statement));
        if (title === 'DELETE') await database.sql`VACUUM wide`;
      }
      for (const side of bulkSides) {
        if (side === 'no capture') continue;
        const added = (1000 * ((took[side] ?? Number.NaN) - (took['no capture'] ?? 0))) / rows;
        bulk[title] = { ...bulk[title], [side]: [...(bulk[title]?.[side] ?? []), added] };
      }
    }
  }
  for (const [, { sql }] of databases) await sql.end();
  await rm(folder, { recursive: true, force: true });

  for (const [title, sides] of Object.entries(bulk)) {
    figures.push({
      name: `Added to each row of a bulk statement: ${title} of ${rows.toLocaleString('en-US')} rows`,
      unit: 'µs a row',
      sides,
      base: 'naive',
    });
  }
  for (const [title, sides] of Object.entries(wal))
    figures.push({ name: `WAL: ${title}`, unit: 'bytes a change', sides, base: 'no capture' });
  figures.push({ name: 'Buffer', unit: 'bytes a change', sides: bufferBytes });

  const goals: Goal[] = [];
  const lost = (name: string, side: Side) =>
    ratios(tpsOf[name]?.[side] ?? [], tpsOf[name]?.['no capture'] ?? []).map((share) => 100 * (1 - share));
  const [off, on] = ['off', 'on'].map((commit) => `${PAIR.title}; 2 clients, synchronous_commit=${commit}`);
  if (off !== undefined && tpsOf[off]) {
    goals.push({ text: 'tps lost, 2 clients, synchronous_commit=off', sense: 'at most', limit: 13, unit: '%', values: lost(off, OURS) });
    goals.push({
      text: 'the same as a share of naive',
      sense: 'at most',
      limit: 0.6,
      unit: '×',
      values: ratios(lost(off, OURS), lost(off, 'naive')),
    });
  }
  if (on !== undefined && tpsOf[on]) {
    goals.push({ text: 'tps lost, 2 clients, synchronous_commit=on', sense: 'at most', limit: 2, unit: '%', values: lost(on, OURS) });
  }
  for (const [title, sides] of Object.entries(bulk)) {
    for (const side of ['sluice, by statement', OURS] as const) {
      goals.push({ text: `bulk ${title}, ${side}, added to a row`, sense: 'at most', limit: 4, unit: 'µs', values: sides[side] ?? [] });
      goals.push({
        text: `the same of naive`,
        sense: 'at most',
        limit: 0.2,
        unit: '×',
        values: ratios(sides[side] ?? [], sides.naive ?? []),
      });
    }
  }
  const main = figures[quick ? 0 : figures.findIndex(({ name }) => name === `Transactions per second: ${off}`)];
  return {
    name: 'source',
    title: `Cost at the source, PostgreSQL ${version}`,
    about: `pgbench (simple protocol) against one server, a database for each side, sides in turns; no daemon runs, and the buffer is emptied between turns, so this is what capture adds to
the application's own work. **floor** is a trigger for each statement that inserts a constant; **naive** a row trigger with \`to_jsonb\` and a uuid key.`,
    figures,
    charts: [
      ...(main ? [barChart('source-tps', `Transactions per second, ${PAIR.title}`, main)] : []),
      ...figures
        .filter(({ unit }) => unit === 'µs a row')
        .slice(0, 1)
        .map((figure) => barChart('source-bulk', figure.name, figure)),
    ],
    goals,
  };
}

/** Seconds of CPU that ended backends of a server took: what its postmaster has of its children, out of Linux's /proc (fields 16 and 17; see proc(5)). */
async function cpuOfBackends(dataDir: string): Promise<number> {
  const [pid] = (await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}
