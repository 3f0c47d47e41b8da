import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { deploy } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';

interface Status {
  readonly lake: { readonly retainedSince: string | null };
  readonly batches: { readonly done: number };
}

test('retain: old changes leave the lake, status says since when, and what needs them says that they are gone', async () => {
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
  const { sql } = lake;
  await sql`CREATE TABLE item (id int PRIMARY KEY, v int)`;
  await lake.ok('install');
  await lake.ok('track', 'public.*');
  await sql`INSERT INTO item SELECT g, 0 FROM generate_series(1, 10) g`;
  await lake.ok('run', '--once');
  const [begin] = await lake.ok<{ at: string }[]>(
    'query',
    "SELECT strftime(cut_ts, '%Y-%m-%dT%H:%M:%S.%fZ') AS at FROM sluice.batch ORDER BY batch_id LIMIT 1",
  );
  await sql`UPDATE item SET v = 1 WHERE id < 4`;
  await lake.ok('run', '--once');
  expect((await lake.ok<Status>('status')).lake.retainedSince).toBeNull();
  await sleep(1_000);
  await lake.configure({ more: 'retain: 1s\n' });
  await sql`DELETE FROM item WHERE id = 10`;
  await lake.ok('run', '--once');
  const [horizon] = await lake.ok<{ since: string; batch_id: number }[]>('query', 'SELECT cut_ts AS since, batch_id FROM sluice.retained');
  expect(Date.parse(String(horizon?.since))).toBeGreaterThan(Date.parse(String(begin?.at)));
  expect(await lake.ok<Status>('status')).toMatchObject({ lake: { retainedSince: horizon?.since }, batches: { done: 3 } });
  expect((await lake.run('status')).stdout).toContain(`changes since ${horizon?.since}`);
  expect(await lake.ok('query', 'SELECT (SELECT count(*) FROM cdc) AS log, (SELECT count(*) FROM public.item) AS state')).toEqual([
    { log: 1, state: 9 },
  ]);
  expect(await lake.ok('query', '--at', String(horizon?.since), 'SELECT count(*) AS n, sum(v)::INTEGER AS v FROM public.item')).toEqual([
    { n: 10, v: 3 },
  ]);
  const code = ({ log }: { log: string }) => JSON.parse(log).error.code;
  expect(code(await lake.run('query', '--at', String(begin?.at), 'FROM public.item', '--json'))).toBe('query_time');
  expect(code(await lake.run('rebuild', 'public.item', '--json'))).toBe('rebuild_log_pruned');
});
