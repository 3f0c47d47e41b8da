import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect, install, track } from '../src/source/index.ts';
import { freshDatabase, startPostgres } from '../test/support/postgres.ts';
import { toolFolder } from '../test/support/tools.ts';
import { median, quantile } from './lab.ts';

const SIDES = ['none', 'unlogged', 'logged'] as const;
type Side = (typeof SIDES)[number];

const SCRIPT = `\\set id random(1, 100000)
BEGIN; UPDATE item SET n = n + 1 WHERE id = :id; INSERT INTO journal (item, note) VALUES (:id, 'a note of some length'); COMMIT;
`;

/**
 * What `source.buffer` costs: pgbench, one UPDATE and one INSERT a transaction, 2 clients, without capture, with an unlogged and with a logged buffer, in turns
 * on one server; no daemon runs, and the buffer is emptied between turns. tps and the CPU time of the backends as multiples of `none` in the same round, medians
 * and quartiles of rounds; WAL bytes a transaction without full page images, of a fixed number of transactions.
 * Run: node -e "import('./bench/buffer.ts').then(async (m) => console.log(JSON.stringify(await m.buffer(), null, 1)))"
 */
export async function buffer({ rounds = 12, seconds = 3, commits = ['off', 'on'] } = {}): Promise<unknown> {
  const pgbench = toolFolder('pgbench');
  if (pgbench === undefined) throw new Error('pgbench is not here');
  const settings = { fsync: 'on', full_page_writes: 'off', shared_buffers: '256MB', max_wal_size: '8GB' };
  await using server = await startPostgres(18, { settings });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const script = join(folder, 'script.sql');
  await writeFile(script, SCRIPT);
  const run = async (url: string, flags: string[], commit = 'off') => {
    const env = { ...process.env, PGOPTIONS: `-c synchronous_commit=${commit}` };
    const before = await cpuOfBackends(server.dataDir);
    const { stdout } = await promisify(execFile)(join(pgbench, 'pgbench'), ['-n', '-c', '2', ...flags, '-f', script, url], { env });
    const transactions = Number(/actually processed: (\d+)/.exec(stdout)?.[1]);
    return { tps: Number(/tps = ([\d.]+)/.exec(stdout)?.[1]), cpu: ((await cpuOfBackends(server.dataDir)) - before) / transactions };
  };
  const sides = {} as Record<Side, { url: string; sql: ReturnType<typeof connect> }>;
  const wal = {} as Record<Side, number>;
  for (const side of SIDES) {
    const { url } = await freshDatabase(server);
    const sql = connect({ url, applicationName: 'bench', max: 1 });
    await sql.unsafe(`CREATE TABLE item (id int PRIMARY KEY, n int, t text);
      CREATE TABLE journal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item int, note text);
      INSERT INTO item SELECT g, 0, md5(g::text) FROM generate_series(1, 100000) g`);
    if (side !== 'none') {
      await install(url, { buffer: side });
      await track(
        sql,
        ['item', 'journal'].map((name) => ({ schema: 'public', name })),
      );
    }
    sides[side] = { url, sql };
    await run(url, ['-t', '2500']);
    const [before] = await sql`SELECT pg_current_wal_insert_lsn()::text AS lsn`;
    await run(url, ['-t', '2500']);
    const [after] = await sql`SELECT (pg_current_wal_insert_lsn() - ${before?.lsn}::pg_lsn)::float8 AS bytes`;
    wal[side] = Math.round(after?.bytes / 5000);
  }
  await sides.none.sql`ALTER SYSTEM SET full_page_writes = on`;
  await sides.none.sql`SELECT pg_reload_conf()`;
  const results: Record<string, unknown> = { walBytesPerTransaction: wal };
  for (const commit of commits) {
    const runs: Record<Side, { tps: number; cpu: number }[]> = { none: [], unlogged: [], logged: [] };
    for (let round = 0; round < rounds; round++) {
      for (const side of SIDES.map((_, index) => SIDES[(index + round) % SIDES.length] as Side)) {
        const { url, sql } = sides[side];
        if (side !== 'none') await sql`TRUNCATE audit.cdc`;
        runs[side].push(await run(url, ['-T', String(seconds)], commit));
      }
    }
    const shares = (side: Side, of: 'tps' | 'cpu') => runs[side].map((one, round) => one[of] / (runs.none[round]?.[of] ?? Number.NaN));
    const spread = (values: number[]) => [0.25, 0.5, 0.75].map((q) => quantile(values, q).toFixed(2)).join(' | ');
    results[`synchronous_commit=${commit}`] = {
      tpsOfNone: median(runs.none.map(({ tps }) => tps)),
      unlogged: { tps: spread(shares('unlogged', 'tps')), cpu: spread(shares('unlogged', 'cpu')) },
      logged: { tps: spread(shares('logged', 'tps')), cpu: spread(shares('logged', 'cpu')) },
    };
  }
  for (const { sql } of Object.values(sides)) await sql.end();
  await rm(folder, { recursive: true, force: true });
  return results;
}

/** Seconds of CPU that ended backends of a server took: what its postmaster has of its children, out of Linux's /proc (fields 16 and 17; see proc(5)). */
async function cpuOfBackends(dataDir: string): Promise<number> {
  const [pid] = (await readFile(join(dataDir, 'postmaster.pid'), 'utf8')).split('\n');
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[13]) + Number(fields[14])) / 100;
}
