import { expect, test } from 'vitest';
import { deploy } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';

/** What happens to a tracked table's changes that wait in the buffer when its name changes before they are taken. */
test('a tracked table that is dropped, renamed or moved to another schema while changes wait blocks nothing', async () => {
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
  const { sql } = lake;
  await sql.unsafe(`
    CREATE SCHEMA archive;
    CREATE TABLE gone (id int PRIMARY KEY); CREATE TABLE renamed (id int PRIMARY KEY);
    CREATE TABLE moved (id int PRIMARY KEY); CREATE TABLE stays (id int PRIMARY KEY)`);
  await lake.ok('install');
  await lake.ok('track', 'public.*');
  const write = (id: number, ...tables: string[]) => Promise.all(tables.map((table) => sql.unsafe(`INSERT INTO ${table} VALUES (${id})`)));
  await write(1, 'gone', 'renamed', 'moved', 'stays');
  await lake.ok('run', '--once');

  await write(2, 'gone', 'renamed', 'moved', 'stays');
  await sql.unsafe('DROP TABLE gone; ALTER TABLE renamed RENAME TO "new name"; ALTER TABLE moved SET SCHEMA archive');
  await write(3, '"new name"', 'archive.moved', 'stays');
  // Another table may take an old name: it is not tracked, and nothing of it appears.
  await sql.unsafe('CREATE TABLE gone (id int PRIMARY KEY); INSERT INTO gone VALUES (99)');
  const daemon = lake.start(['run', '--once']);
  expect(await daemon.ended).toMatchObject({ code: 0 });

  const logged = (await lake.changes()).map(({ table, data }) => `${table} ${JSON.parse(data ?? '{}').id}`).sort();
  expect(logged).toEqual(
    [
      ...['public.gone 1', 'public.renamed 1', 'public.moved 1', 'public.stays 1'],
      // A batch names tables as they are called when it is read; a dropped one as it was called at `track`.
      ...['public.gone 2', 'public.new name 2', 'archive.moved 2', 'public.stays 2'],
      ...['public.new name 3', 'archive.moved 3', 'public.stays 3'],
    ].sort(),
  );
  const status = await lake.ok<{ tables: { schema: string; name: string; problem: string | null }[]; lag: number }>('status');
  expect(status.lag).toBe(0);
  expect(status.tables.map(({ schema, name, problem }) => `${schema}.${name} ${problem}`).sort()).toEqual(
    ['archive.moved null', 'public.gone dropped', 'public.new name null', 'public.stays null'].sort(),
  );
  const { stdout } = await lake.run('doctor');
  expect(stdout).toMatch(/public\.gone\s+was dropped/);

  // A table of the same name that is made and tracked anew is another table, and flows beside it.
  await lake.ok('track', 'public.gone');
  await write(100, 'gone');
  await lake.ok('run', '--once');
  expect((await lake.changes()).at(-1)).toMatchObject({ op: 'I', table: 'public.gone', data: '{"id":100}' });
});
