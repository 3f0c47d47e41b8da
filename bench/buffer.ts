import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { connect, install, track } from '../src/source/index.ts';
import { freshDatabase, startPostgres } from '../test/support/postgres.ts';
import { toolFolder } from '../test/support/tools.ts';
import { median } from './lab.ts';

const SIDES = ['none', 'unlogged', 'logged'] as const;
type Side = (typeof SIDES)[number];

const SCRIPT = `\\set id random(1, 100000)
BEGIN; UPDATE item SET n = n + 1 WHERE id = :id; INSERT INTO journal (item, note) VALUES (:id, 'a note of some length'); COMMIT;
`;

/**
 * What `source.buffer` costs: pgbench, one UPDATE and one INSERT a transaction, 2 clients, against no capture, an unlogged and a logged buffer, in turns
 * on one server. The buffer is emptied between turns, no daemon runs. tps as shares of `none` in the same round, medians of rounds; WAL bytes a transaction.
 * Run: node -e "import('./bench/buffer.ts').then(async (m) => console.log(JSON.stringify(await m.buffer(), null, 1)))"
 */
export async function buffer({ rounds = 5, seconds = 10 } = {}): Promise<unknown> {
  const pgbench = toolFolder('pgbench');
  if (pgbench === undefined) throw new Error('pgbench is not here');
  await using server = await startPostgres(18, {
    settings: { fsync: 'on', full_page_writes: 'on', shared_buffers: '256MB', max_wal_size: '8GB' },
  });
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const script = join(folder, 'script.sql');
  await writeFile(script, SCRIPT);
  const sides = {} as Record<Side, { url: string; sql: ReturnType<typeof connect> }>;
  for (const side of SIDES) {
    const { url } = await freshDatabase(server);
    const sql = connect({ url, applicationName: 'bench', max: 1 });
    await sql.unsafe(`CREATE TABLE item (id int PRIMARY KEY, n int, t text); CREATE TABLE journal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item int, note text);
      INSERT INTO item SELECT g, 0, md5(g::text) FROM generate_series(1, 100000) g`);
    if (side !== 'none') {
      await install(url, { buffer: side });
      await track(sql, [
        { schema: 'public', name: 'item' },
        { schema: 'public', name: 'journal' },
      ]);
    }
    sides[side] = { url, sql };
  }
  const results: Record<string, unknown> = {};
  for (const commit of ['off', 'on']) {
    const tps: Record<Side, number[]> = { none: [], unlogged: [], logged: [] };
    const wal: Record<Side, number[]> = { none: [], unlogged: [], logged: [] };
    for (let round = 0; round < rounds; round++) {
      for (const side of SIDES.map((_, index) => SIDES[(index + round) % SIDES.length] as Side)) {
        const { url, sql } = sides[side];
        if (side !== 'none') await sql`TRUNCATE audit.cdc`;
        await sql`CHECKPOINT`;
        const [before] = await sql`SELECT pg_current_wal_lsn()::text AS lsn, (SELECT count(*) FROM journal)::int AS n`;
        const { stdout } = await promisify(execFile)(
          join(pgbench, 'pgbench'),
          ['-n', '-c', '2', '-j', '1', '-T', String(seconds), '-f', script, url],
          {
            env: { ...process.env, PGOPTIONS: `-c synchronous_commit=${commit}` },
          },
        );
        const [after] =
          await sql`SELECT (pg_current_wal_lsn() - ${before?.lsn}::pg_lsn)::float8 AS bytes, (SELECT count(*) FROM journal)::int AS n`;
        tps[side].push(Number(/tps = ([\d.]+)/.exec(stdout)?.[1]));
        wal[side].push(after?.bytes / (after?.n - before?.n));
      }
    }
    const share = (side: Side) => tps[side].map((one, round) => one / (tps.none[round] ?? Number.NaN));
    results[`synchronous_commit=${commit}`] = Object.fromEntries(
      SIDES.map((side) => [
        side,
        {
          tps: Math.round(median(tps[side])),
          ofNone: share(side).map((one) => one.toFixed(2)),
          median: median(share(side)).toFixed(3),
          walBytes: Math.round(median(wal[side])),
        },
      ]),
    );
  }
  for (const { sql } of Object.values(sides)) await sql.end();
  await rm(folder, { recursive: true, force: true });
  return results;
}
