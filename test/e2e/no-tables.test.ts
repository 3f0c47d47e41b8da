import { expect, test } from 'vitest';
import { deploy } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';

test('track says why what matches is no table that can be tracked', { timeout: 60_000 }, async () => {
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
  await lake.sql.unsafe(`CREATE TABLE item (id int PRIMARY KEY) PARTITION BY RANGE (id);
    CREATE TABLE item_low PARTITION OF item FOR VALUES FROM (0) TO (10); CREATE VIEW seen AS SELECT * FROM item`);
  await lake.ok('install');
  const failure = async (...args: string[]) => {
    const { code, log } = await lake.run(...args, '--json');
    expect(code).toBe(1);
    const { error } = JSON.parse(log) as { error: { code: string; message: string; remedy: string } };
    expect(error.code).toBe('no_tables');
    expect(error.remedy).not.toContain('init');
    return error.message;
  };
  expect(await failure('track', 'public.seen')).toContain('public.seen: only tables and partitioned tables');
  expect(await failure('track', 'public.item_low')).toMatch(/public\.item_low: it is a partition: track its root/);
  expect(await failure('track', 'audit.cdc')).toContain('belongs to pg-sluice');
  expect(await failure('track', 'public.nothing')).toBe('No table matches public.nothing.');
  expect(await failure('untrack', 'public.item')).toContain('No tracked table matches');
});
