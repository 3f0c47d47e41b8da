import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { deploy, LAKES } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';

test('rebuild needs the lake alone, and names what it was probably meant by', { timeout: 120_000 }, async () => {
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
  await lake.sql.unsafe('CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE "Odd.One" (id int PRIMARY KEY)');
  await lake.ok('install');
  await lake.ok('track', 'public.*');
  await lake.sql.unsafe('INSERT INTO orders SELECT generate_series(1, 3); INSERT INTO "Odd.One" VALUES (1)');
  await lake.ok('run', '--once', '--log-level', 'silent');
  await lake.configure({ url: 'postgres://nobody@127.0.0.1:1/none' });
  const failure = async (status: number, ...args: string[]) => {
    const { code, log } = await lake.run('rebuild', ...args, '--json');
    expect(code).toBe(status);
    return (JSON.parse(log) as { error: { code: string; message: string; remedy: string } }).error;
  };
  expect(await failure(1, 'public.oders')).toMatchObject({ code: 'unknown_table', remedy: 'Did you mean public.orders?' });
  expect(await failure(1, 'public.orders', 'x.y')).toMatchObject({ code: 'unknown_table', message: 'The lake has no table x.y.' });
  expect(await failure(1, 'orders')).toMatchObject({ code: 'pattern_invalid' });
  expect(await failure(2)).toMatchObject({ code: 'usage' });
  expect(await lake.ok('rebuild', 'public.*')).toEqual({
    rebuilt: [
      { schema: 'public', name: 'Odd.One', changes: 1, rows: 1, losses: 0 },
      { schema: 'public', name: 'orders', changes: 3, rows: 3, losses: 0 },
    ],
  });
  expect((await lake.run('rebuild', 'public.orders')).stdout).toMatch(/public\.orders +3 +3 +0/);
});

test.each(LAKES)('a daemon and rebuilds beside it: state equals the source, %s', { timeout: 180_000 }, async (kind) => {
  await using lake = await deploy(sharedPostgres(), { kind });
  await lake.configure({ interval: '1s' });
  await lake.sql.unsafe('CREATE TABLE item (id int PRIMARY KEY, v int)');
  await lake.ok('install');
  await lake.ok('track', 'public.*');
  await lake.sql.unsafe('INSERT INTO item SELECT g, 0 FROM generate_series(1, 100) g');
  await lake.ok('run', '--once', '--log-level', 'silent');
  const daemon = lake.start(['run']);
  let stop = false;
  const write = async () => {
    while (!stop) {
      await lake.sql.unsafe('UPDATE item SET v = v + 1; UPDATE item SET id = id + 1000 WHERE id = (SELECT min(id) FROM item)');
      await sleep(100);
    }
  };
  const written = write();
  try {
    for (let round = 0; round < 4; round += 1) expect(await lake.ok('rebuild', 'public.item')).toMatchObject({ rebuilt: [{ rows: 100 }] });
  } finally {
    stop = true;
    await written;
    daemon.process.kill('SIGTERM');
  }
  const ended = await daemon.ended;
  expect(ended.code, ended.log).toBe(0);
  await lake.ok('run', '--once', '--log-level', 'silent');
  expect(await lake.ok('query', 'FROM public.item ORDER BY id')).toEqual([...(await lake.sql`SELECT * FROM item ORDER BY id`)]);
  const [history] = await lake.ok<{ n: number }[]>('query', 'SELECT count(*) AS n FROM public_history.item WHERE is_current');
  expect(history?.n).toBe(100);
});
