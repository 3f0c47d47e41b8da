import { expect, test } from 'vitest';
import { MIRRORS, openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';

test.each(MIRRORS)('rows from before a table was tracked are loaded: %s', { timeout: 120_000 }, async (kind) => {
  await using mirror = await openMirror(sharedPostgres(18), kind);
  await mirror.run(`CREATE TABLE item (id int PRIMARY KEY, v text, amount numeric(12,2), at timestamptz);
    INSERT INTO item SELECT g, 'v' || g, g / 100.0, now() FROM generate_series(1, 1000) g`);
  await mirror.track('item');
  await mirror.run("UPDATE item SET v = 'changed' WHERE id <= 10; DELETE FROM item WHERE id = 20");
  await mirror.drain();
  await mirror.expectState('item');
  expect(await mirror.query('SELECT _op AS op, count(*) AS n FROM public_changes.item GROUP BY ALL ORDER BY ALL')).toEqual([
    { op: 'D', n: 1 },
    { op: 'R', n: 989 },
    { op: 'U', n: 10 },
  ]);
  await mirror.run("UPDATE item SET v = 'again' WHERE id <= 5; DELETE FROM item WHERE id = 21; INSERT INTO item VALUES (2000, 'new')");
  await mirror.drain();
  await mirror.expectState('item');
  expect(await mirror.query('SELECT table_name, rows FROM sluice.watermark')).toEqual([{ table_name: 'item', rows: 999 }]);
});

test('a row that PostgreSQL takes for JSON and DuckDB does not is noted as lost, and is there once it is loaded', async () => {
  await using mirror = await openMirror(sharedPostgres(18), 'DuckDB file');
  await mirror.run('CREATE TABLE item (id int PRIMARY KEY, doc json)');
  await mirror.track('item');
  await mirror.drain();
  await mirror.run(String.raw`INSERT INTO item VALUES (1, '"\ud800"'), (2, '{}')`);
  await mirror.drain();
  expect(await mirror.query('SELECT id FROM public.item')).toEqual([{ id: 2 }]);
  expect(await mirror.query('SELECT column_name, reason FROM sluice.loss')).toEqual([{ column_name: null, reason: 'the row is no JSON' }]);
  expect(await mirror.load('item', 'compare')).toEqual({ rows: 2, missing: 1, different: 0, extra: 0 });
  expect(await mirror.query('SELECT id, doc FROM public.item ORDER BY 1')).toEqual([
    { id: 1, doc: null },
    { id: 2, doc: '{}' },
  ]);
});

test.each(MIRRORS)('a rebuild keeps what was loaded, in its place among changes and DDL: %s', { timeout: 120_000 }, async (kind) => {
  await using mirror = await openMirror(sharedPostgres(18), kind);
  await mirror.run(
    "CREATE TABLE item (id int PRIMARY KEY, v text, gone text); INSERT INTO item SELECT g, 'v' || g, 'gone' FROM generate_series(1, 20) g",
  );
  await mirror.track('item');
  await mirror.drain();
  await mirror.run("UPDATE item SET v = 'changed' WHERE id = 1; DELETE FROM item WHERE id = 2");
  await mirror.drain();
  await mirror.run('ALTER TABLE item RENAME COLUMN v TO w; ALTER TABLE item DROP COLUMN gone; ALTER TABLE item ADD COLUMN x int DEFAULT 7');
  await mirror.run("UPDATE item SET w = 'renamed' WHERE id = 3");
  await mirror.drain();
  await mirror.damage(
    'DELETE FROM lake.public.item WHERE id IN (5, 6)',
    "UPDATE lake.public.item SET w = 'damaged' WHERE id = 7",
    "INSERT INTO lake.public.item VALUES (99, 'too much', 1)",
  );
  expect(await mirror.load('item', 'repair')).toEqual({ rows: 19, missing: 2, different: 1, extra: 1 });
  await mirror.expectState('item');
  await mirror.run("UPDATE item SET w = 'last' WHERE id IN (5, 8)");
  await mirror.drain();
  const log = await mirror.query('SELECT * FROM public_changes.item ORDER BY ALL');
  await mirror.damage('DELETE FROM lake.public.item');
  await mirror.rebuild('item');
  await mirror.expectState('item');
  expect(await mirror.query('SELECT * FROM public_changes.item ORDER BY ALL')).toEqual(log);
  await mirror.drain();
  await mirror.expectState('item');
  expect(await mirror.load('item', 'full')).toMatchObject({ rows: 19, missing: 19 });
  await mirror.run('DELETE FROM item WHERE id = 9');
  await mirror.drain();
  await mirror.expectState('item');
  await mirror.rebuild('item');
  await mirror.expectState('item');
  expect(await mirror.load('item', 'reset')).toMatchObject({ rows: 18, missing: 18 });
  await mirror.expectState('item');
  expect(await mirror.query('SELECT _op AS op, count(*) AS n FROM public_changes.item GROUP BY ALL')).toEqual([{ op: 'R', n: 18 }]);
  await mirror.rebuild('item');
  await mirror.expectState('item');
});

test('a table without changes is loaded though the others never rest', { timeout: 60_000 }, async () => {
  await using mirror = await openMirror(sharedPostgres(18), 'DuckDB file');
  await mirror.run('CREATE TABLE item (id int PRIMARY KEY); CREATE TABLE quiet (id int PRIMARY KEY); INSERT INTO quiet VALUES (1), (2)');
  await mirror.track('item', 'quiet');
  await mirror.run('INSERT INTO item VALUES (1)');
  await mirror.drain();
  await mirror.expectState('item', 'quiet');
});

test('a rebuild keeps the losses of loaded rows', { timeout: 60_000 }, async () => {
  await using mirror = await openMirror(sharedPostgres(18), 'DuckDB file');
  await mirror.run("CREATE TABLE item (id int PRIMARY KEY, n numeric(12, 2)); INSERT INTO item VALUES (1, 'NaN'), (2, 2)");
  await mirror.track('item');
  await mirror.drain();
  await mirror.run("INSERT INTO item VALUES (3, 'NaN')");
  await mirror.drain();
  const losses = await mirror.query('FROM sluice.loss ORDER BY ALL');
  expect(losses).toHaveLength(2);
  await mirror.rebuild('item');
  expect(await mirror.query('FROM sluice.loss ORDER BY ALL')).toEqual(losses);
});

test('rows that came to a DuckLake as files outlive its maintenance', { timeout: 120_000 }, async () => {
  await using mirror = await openMirror(sharedPostgres(18), 'DuckLake on SQLite', { chunkRows: 50 });
  await mirror.run(
    "CREATE TABLE item (id int PRIMARY KEY, v text); INSERT INTO item SELECT g, repeat('x', 500) FROM generate_series(1, 600) g",
  );
  await mirror.track('item');
  await mirror.drain();
  const added = "FROM __ducklake_metadata_lake.ducklake_data_file WHERE end_snapshot IS NULL AND starts_with(path, 'load-')";
  const files = await mirror.query(
    `SELECT path_is_relative::BOOLEAN AS path_is_relative, count(*) AS files, count(DISTINCT table_id) AS tables ${added} GROUP BY ALL`,
  );
  expect(files).toEqual([{ path_is_relative: true, files: expect.any(Number), tables: 2 }]);
  expect(Number(files[0]?.files)).toBeGreaterThan(10);
  await mirror.run(
    "UPDATE item SET v = 'changed' WHERE id % 7 = 0; DELETE FROM item WHERE id % 3 = 0; ALTER TABLE item RENAME COLUMN v TO w",
  );
  await mirror.drain();
  const history = await mirror.query('FROM public_history.item ORDER BY ALL');
  const maintain = () =>
    mirror.damage(
      "CALL ducklake_rewrite_data_files('lake', 'item', schema => 'public', delete_threshold => 0)",
      "CALL ducklake_merge_adjacent_files('lake')",
      "CALL ducklake_expire_snapshots('lake', older_than => now())",
      "CALL ducklake_cleanup_old_files('lake', cleanup_all => true)",
      "CALL ducklake_delete_orphaned_files('lake', cleanup_all => true)",
    );
  await maintain();
  expect(await mirror.query(`SELECT count(*) AS n ${added}`)).toEqual([{ n: 0 }]);
  await mirror.expectState('item');
  expect(await mirror.query('FROM public_history.item ORDER BY ALL')).toEqual(history);
  await mirror.rebuild('item');
  await mirror.expectState('item');
  expect(await mirror.load('item', 'full')).toMatchObject({ rows: 400, missing: 400 });
  await mirror.run("INSERT INTO item VALUES (1000, 'new')");
  await mirror.drain();
  await maintain();
  await mirror.expectState('item');
});
