import { expect, test } from 'vitest';
import { drainOnce } from '../../src/daemon/index.ts';
import type { CrashPoint } from '../../src/pipeline/index.ts';
import { silent } from '../lake/support.ts';
import { MIRRORS, openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';

test.each(MIRRORS)('DDL on a table without changes is followed: %s', { timeout: 120_000 }, async (kind) => {
  await using mirror = await openMirror(sharedPostgres(18), kind);
  await mirror.run(
    'CREATE TABLE item (id int PRIMARY KEY, v text, w int); CREATE TABLE other (id int PRIMARY KEY); CREATE TABLE never (id int)',
  );
  await mirror.track('item', 'other', 'never');
  await mirror.run("INSERT INTO item SELECT g, 'v' || g, g FROM generate_series(1, 9) g; INSERT INTO other VALUES (1), (2)");
  await mirror.drain();
  const batches = async () => Number((await mirror.query("SELECT count(*) AS n FROM sluice.batch WHERE kind <> 'load'"))[0]?.n);
  await mirror.drain();
  expect(await batches()).toBe(1);

  await mirror.run("ALTER TABLE item RENAME COLUMN v TO value; ALTER TABLE item ADD COLUMN x text DEFAULT 'old', DROP COLUMN w");
  await mirror.drain();
  await mirror.expectState('item', 'other');
  expect(
    await mirror.query(
      `SELECT c.change, b.kind, b."rows" FROM sluice.schema_change AS c JOIN sluice.batch AS b USING (batch_id)
       WHERE table_name = 'item' AND change <> 'table_added' ORDER BY ALL`,
    ),
  ).toEqual(['column_added', 'column_dropped', 'column_renamed'].map((change) => ({ change, kind: 'schema', rows: 0 })));
  await mirror.drain();
  await mirror.run('ANALYZE item');
  await mirror.run('VACUUM item');
  await mirror.drain();
  expect(await batches()).toBe(2);

  // With the changes of another table: in their batch.
  await mirror.run('ALTER TABLE item RENAME TO thing; INSERT INTO other VALUES (3)');
  await mirror.drain();
  await mirror.expectState('thing', 'other');
  expect(await batches()).toBe(3);

  await mirror.run('DROP TABLE other');
  await mirror.drain();
  expect(await mirror.query("SELECT table_name FROM duckdb_tables() WHERE schema_name = 'public' AND database_name = 'lake'")).toEqual([
    { table_name: 'thing' },
  ]);
  expect(await mirror.query('SELECT count(*) AS n, count(*) FILTER (is_current) AS current FROM public_history.other')).toEqual([
    { n: 3, current: 0 },
  ]);

  await mirror.run("INSERT INTO thing VALUES (100, 'new', 'x')");
  await mirror.drain();
  await mirror.expectState('thing');
  const before = await mirror.query('FROM public_changes.thing ORDER BY ALL');
  await mirror.damage('DELETE FROM lake.public.thing', 'DELETE FROM lake.public_changes.thing');
  await mirror.rebuild('thing');
  await mirror.expectState('thing');
  expect(await mirror.query('FROM public_changes.thing ORDER BY ALL')).toEqual(before);
});

test.each(['before-follow', 'after-follow'] as const)('what ends at %s is done once by the next round', async (point) => {
  await using mirror = await openMirror(sharedPostgres(18), 'DuckDB file');
  await mirror.run('CREATE TABLE item (id int PRIMARY KEY)');
  await mirror.track('item');
  await mirror.run('INSERT INTO item VALUES (1)');
  await mirror.drain();
  await mirror.run('ALTER TABLE item ADD COLUMN x int DEFAULT 7');
  let hits = 0;
  const at = (reached: CrashPoint) => {
    if (reached !== point) return;
    hits += 1;
    if (hits === 1) throw Object.assign(new Error('killed here'), { code: 'CONNECTION_CLOSED' });
  };
  await drainOnce({ ports: { ...mirror.composition.ports, at }, log: silent });
  expect(hits).toBe(2);
  await mirror.expectState('item');
  expect(await mirror.query("SELECT count(*) AS n FROM sluice.schema_change WHERE change = 'column_added'")).toEqual([{ n: 1 }]);
});

test.each(MIRRORS)('a partition that is detached or dropped takes its rows along: %s', { timeout: 120_000 }, async (kind) => {
  await using mirror = await openMirror(sharedPostgres(18), kind);
  await mirror.run(`CREATE TABLE item (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
    CREATE TABLE item_a PARTITION OF item FOR VALUES FROM (1) TO (10); CREATE TABLE item_b PARTITION OF item FOR VALUES FROM (10) TO (20);
    CREATE TABLE item_c PARTITION OF item FOR VALUES FROM (20) TO (30); CREATE TABLE item_rest PARTITION OF item DEFAULT`);
  await mirror.track('item');
  await mirror.run("INSERT INTO item SELECT g, 'v' FROM generate_series(1, 40) g");
  await mirror.drain();
  const changes = async () =>
    (
      await mirror.query("SELECT change, detail FROM sluice.schema_change WHERE change <> 'table_added' ORDER BY batch_id, change, detail")
    ).map((row) => `${row.change} ${row.detail}`);
  await mirror.run('ALTER TABLE item DETACH PARTITION item_a');
  await mirror.drain();
  await mirror.expectState('item');
  expect(await changes()).toEqual(['partition_dropped item_a']);
  expect(await mirror.query("SELECT count(*) AS n FROM public_changes.item WHERE _op = 'D'")).toEqual([{ n: 9 }]);
  // Changes before it and of other partitions in the same batch.
  await mirror.run("UPDATE item SET v = 'w' WHERE id > 12; INSERT INTO item VALUES (50, 'x')");
  await mirror.run(
    'DROP TABLE item_b; CREATE TABLE item_d PARTITION OF item FOR VALUES FROM (100) TO (110); INSERT INTO item VALUES (101, $$d$$)',
  );
  await mirror.drain();
  await mirror.expectState('item');
  expect((await changes()).slice(1)).toEqual(['partition_added item_d', 'partition_dropped item_b']);
  const before = await mirror.query('FROM public_changes.item ORDER BY ALL');
  await mirror.damage('DELETE FROM lake.public.item', 'DELETE FROM lake.public_changes.item');
  await mirror.rebuild('item');
  await mirror.expectState('item');
  expect(await mirror.query('FROM public_changes.item ORDER BY ALL')).toEqual(before);
  await mirror.run('ALTER TABLE item ATTACH PARTITION item_a FOR VALUES FROM (1) TO (10)');
  await mirror.drain();
  expect((await changes()).slice(3)).toEqual(['needs_load item_a', 'partition_added item_a']);
});
