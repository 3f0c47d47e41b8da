import { expect, test } from 'vitest';
import { deploy } from '../support/deployment.ts';
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
