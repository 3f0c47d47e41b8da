import { rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { deploy } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';

test('status and doctor say that a lake is gone, empty, or of another source', { timeout: 120_000 }, async () => {
  await using mine = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
  await using other = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
  for (const one of [mine, other]) {
    await one.sql`CREATE TABLE item (id int PRIMARY KEY)`;
    await one.ok('install');
    await one.ok('status');
    await one.ok('track', 'public.*');
    await one.sql`INSERT INTO item VALUES (1)`;
    await one.ok('run', '--once', '--log-level', 'silent');
    await one.ok('status');
  }
  const file = join(mine.folder, 'lake', 'lake.duckdb');
  const statusSays = async (code: string) => {
    const status = await mine.run('status', '--json');
    expect(status, status.log).toMatchObject({ code: 1 });
    expect(JSON.parse(status.stdout)).toMatchObject({ lake: { error: { code, remedy: expect.any(String) } }, batches: { done: 1 } });
  };
  await rename(file, `${file}.away`);
  await statusSays('lake_missing');
  await mine.ok('doctor'); // makes the lake
  await statusSays('lake_empty');
  await rm(file);
  await rename(`${file}.away`, file);
  await mine.ok('doctor');

  await mine.configure({ lake: `{ type: duckdb, path: "${join(other.folder, 'lake', 'lake.duckdb')}" }` });
  await statusSays('lake_of_another_source');
  const doctor = await mine.run('doctor', '--json');
  expect(doctor.code).toBe(1);
  expect(JSON.parse(doctor.stdout).findings).toContainEqual(
    expect.objectContaining({ level: 'error', check: 'lake', message: expect.stringContaining('was filled from') }),
  );
});
