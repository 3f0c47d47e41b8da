import { existsSync, readdirSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { expect, test } from 'vitest';
import type { ChildOptions } from '../crash/child.ts';
import { type Child, start } from '../support/child.ts';
import { type Deployment, deploy, logLines } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';
import { until } from '../support/until.ts';

/** How many rows; the Show is at 10,000,000. */
const ROWS = Number(process.env.SLUICE_FIRE_ROWS ?? 300_000);
const KILLS = 5;
const CHILD = fileURLToPath(new URL('../crash/child.ts', import.meta.url));

const DEBIAN = '/usr/lib/postgresql';

function findPgbench(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, 'bin')) : [];
  return [...(process.env.PATH ?? '').split(delimiter), ...versions].map((folder) => join(folder, 'pgbench')).find(existsSync);
}

/** All that an application does to a row, over the whole table, and past its end. */
const script = (rows: number) => `\\set id random(1, ${rows})
\\set other random(1, ${rows})
\\set fresh random(${rows + 1}, ${2 * rows})
BEGIN;
UPDATE item SET n = n - 1 WHERE id = :id;
UPDATE item SET n = n + 1 WHERE id = :id;
DELETE FROM item WHERE id = :other;
INSERT INTO item SELECT :fresh, md5(:fresh::text), 0, now(), 'i', 1, 2, true, 0.5, '2020-01-01' ON CONFLICT (id) DO UPDATE SET a = excluded.a || '!';
UPDATE item SET id = id + ${10 * rows} WHERE id = :id + 1 AND NOT EXISTS (SELECT FROM item WHERE id = :id + 1 + ${10 * rows});
COMMIT;
`;

interface Line {
  readonly msg: string;
  readonly batchId?: number;
  readonly chunk?: number;
  readonly rows?: number;
  readonly chunks?: number;
}

test(`${ROWS} rows are loaded while pgbench writes to the same table and the daemon is killed ${KILLS} times`, {
  timeout: 3_600_000,
}, async (context) => {
  const pgbench = findPgbench();
  if (pgbench === undefined) return context.skip(`pgbench is neither on the PATH nor below ${DEBIAN}`);
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckLake on PostgreSQL' });
  await lake.sql.unsafe(`CREATE TABLE item (id bigint PRIMARY KEY, a text, n int, made timestamptz, b text, c int, d bigint, e boolean, f numeric(12,4), g date);
    INSERT INTO item SELECT i, md5(i::text), 0, now(), 'b' || i, i % 1000, i, i % 2 = 0, i / 7.0, date '2020-01-01' + (i % 1000)::int FROM generate_series(1, ${ROWS}) i;
    ANALYZE item`);
  await lake.ok('install');
  await lake.ok('track', 'public.item');
  const file = join(lake.folder, 'fire.sql');
  await writeFile(file, script(ROWS));
  const load = start(pgbench, ['-n', '-f', file, '-c', '2', '-j', '1', '-T', '100000', '-R', '200', lake.url]);
  const began = Date.now();
  const logs: Line[] = [];
  let daemon: Child | undefined;
  const options: ChildOptions = {
    config: join(lake.folder, 'sluice.yaml'),
    daemon: true,
    level: 'debug',
    ...(ROWS < 1_000_000 && { chunkRows: ROWS / 15 }),
  };
  const run = () => start(process.execPath, [CHILD, JSON.stringify(options)], { cwd: lake.folder });
  const chunksOf = (child: Child) => (logLines(child) as Line[]).filter(({ msg }) => msg === 'chunk loaded').length;
  const done = (child: Child) => logLines(child).some(({ msg }) => msg === 'load done');
  try {
    for (let kill = 0; kill < KILLS; kill += 1) {
      const child = run();
      daemon = child;
      await until(
        'a chunk is in the lake',
        () => {
          expect(child.process.exitCode, child.log()).toBeNull();
          return chunksOf(child) > 0;
        },
        300_000,
      );
      // At any moment of the next one.
      await sleep(Math.random() * 400);
      child.process.kill('SIGKILL');
      await child.ended;
      expect(done(child), 'it was killed before the load was done').toBe(false);
      logs.push(...(logLines(child) as Line[]));
    }
    const last = run();
    daemon = last;
    await until('the load is done', () => done(last), 1_800_000);
    load.process.kill('SIGINT');
    await load.ended;
    last.process.kill('SIGTERM');
    expect((await last.ended).code).toBe(0);
    logs.push(...(logLines(last) as Line[]));
  } finally {
    load.process.kill('SIGKILL');
    daemon?.process.kill('SIGKILL');
  }
  const seconds = (Date.now() - began) / 1000;
  await lake.ok('run', '--once');
  const finished = logs.filter(({ msg }) => msg === 'chunk loaded').map(({ batchId, chunk }) => `${batchId}/${chunk}`);
  expect(new Set(finished).size, 'no chunk was loaded twice').toBe(finished.length);
  const [begun] = logs.filter(({ msg }) => msg === 'load begun');
  // A kill may come between the commit of up to eight chunks and their lines in the log, and the last ones may go with what completes the load.
  expect(finished.length).toBeGreaterThanOrEqual((begun?.chunks ?? 0) - 8 * KILLS);
  // The daemon has had the default; a history of all these rows is worked out by windows.
  await lake.configure({ more: 'memory_limit: 6GB\n' });
  await expectSame(lake);
  const [counted] = await lake.ok<{ loaded: number; changes: number; twice: number }[]>(
    'query',
    `SELECT count(*) FILTER (_op = 'R')::INT AS loaded, count(*) FILTER (_op <> 'R')::INT AS changes,
       (SELECT count(*) FROM (SELECT id FROM public_changes.item WHERE _op = 'R' GROUP BY id HAVING count(*) > 1))::INT AS twice FROM public_changes.item`,
  );
  expect(counted?.twice).toBe(0);
  console.info(
    `${ROWS} rows in ${begun?.chunks} chunks, ${finished.length} of them seen in logs, ${KILLS} kills, ${Math.round(seconds)} s; ${counted?.loaded} R, ${counted?.changes} changes`,
  );
});

/** The source's table and the lake's, hashed by the same text of each row. */
async function expectSame(lake: Deployment): Promise<void> {
  const text = (utc: string) => `concat_ws('|', id, a, n, ${utc}, b, c, d, CASE WHEN e THEN 1 ELSE 0 END, f, g)`;
  const sums = (row: string, number: (part: string) => string) =>
    `SELECT count(*)::text AS n, sum(${number(`substr(md5(${row}), 1, 8)`)})::text AS low, sum(${number(`substr(md5(${row}), 9, 8)`)})::text AS high FROM `;
  const [source] = await lake.sql.unsafe(
    `${sums(text("to_char(made AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.US')"), (part) => `('x' || ${part})::bit(32)::bigint`)} public.item`,
  );
  const inLake = (table: string) =>
    lake.ok<Record<string, string>[]>(
      'query',
      `${sums(text("strftime(made AT TIME ZONE 'UTC', '%Y-%m-%d %H:%M:%S.%f')"), (part) => `('0x' || ${part})::BIGINT`)} ${table}`,
    );
  expect(await inLake('public.item')).toEqual([source]);
  expect(await inLake('(FROM public_history.item WHERE is_current)')).toEqual([source]);
}
