import { describe, expect, test } from 'vitest';
import { MIRRORS, openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';
import { EVOLUTIONS } from './evolutions.ts';

const KINDS = MIRRORS;

describe.each(KINDS)('schema changes: %s', (kind) => {
  test.each(EVOLUTIONS)('$what', async ({ ddl, changes, after }) => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run('CREATE TABLE item (id int PRIMARY KEY, v text NOT NULL, w text, n int)');
    await mirror.track('item');
    await mirror.run("INSERT INTO item SELECT g, 'v' || g, 'w' || g, g FROM generate_series(1, 30) g");
    await mirror.drain();
    // Changes that wait under the old names, the change of the schema, changes under the new ones: all of it in one batch.
    await mirror.run("UPDATE item SET v = 'before', w = 'waiting' WHERE id = 1; DELETE FROM item WHERE id = 9");
    await mirror.run(ddl);
    const [{ name } = { name: '' }] = await mirror.sql<
      { name: string }[]
    >`SELECT relname AS name FROM pg_class WHERE relname IN ('item', 'thing') AND relkind = 'r'`;
    await mirror.run(`${after ?? ''}; DELETE FROM ${name} WHERE id = 8; UPDATE ${name} SET id = id WHERE id < 6`);
    await mirror.drain();
    await mirror.expectState(name);
    expect(
      (await mirror.query("SELECT change FROM sluice.schema_change WHERE change <> 'table_added' ORDER BY ALL")).map((row) => row.change),
    ).toEqual([...changes].sort());
    await mirror.run(`DELETE FROM ${name} WHERE id = 3; UPDATE ${name} SET id = 300 WHERE id = 4`);
    await mirror.drain();
    await mirror.expectState(name);
  });

  test('a table is dropped, and made anew', async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run('CREATE TABLE item (id int PRIMARY KEY, v text); CREATE TABLE other (id int PRIMARY KEY)');
    await mirror.track('item', 'other');
    await mirror.run("INSERT INTO item SELECT g, 'v' FROM generate_series(1, 20) g; INSERT INTO other VALUES (1)");
    await mirror.drain();
    await mirror.run('UPDATE item SET v = $$last$$ WHERE id = 1; DROP TABLE item; INSERT INTO other VALUES (2)');
    await mirror.drain();
    expect(await mirror.query("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'public' AND database_name = 'lake'")).toEqual([
      { table_name: 'other' },
    ]);
    expect(await mirror.query('SELECT count(*) AS n, count(*) FILTER (is_current) AS current FROM public_history.item')).toEqual([
      { n: 20, current: 0 },
    ]);
    await mirror.run('CREATE TABLE item (v int, id int PRIMARY KEY, w text)');
    await mirror.track('item');
    await mirror.run('INSERT INTO item SELECT 1, g, $$w$$ FROM generate_series(10, 12) g');
    await mirror.drain();
    await mirror.expectState('item', 'other');
  });

  test('a table is replaced by another of the same name within one batch', async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run('CREATE TABLE item (id int PRIMARY KEY, v text)');
    await mirror.track('item');
    await mirror.run("INSERT INTO item SELECT g, 'v' FROM generate_series(1, 20) g");
    await mirror.drain();
    await mirror.run('UPDATE item SET v = $$last$$; DROP TABLE item; CREATE TABLE item (id int PRIMARY KEY, v text)');
    await mirror.track('item');
    await mirror.run("INSERT INTO item SELECT g, 'new' FROM generate_series(15, 16) g");
    await mirror.drain();
    await mirror.expectState('item');
  });
});
