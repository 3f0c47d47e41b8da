import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { LakeSession } from '../../src/lake/session.ts';
import { testEngine } from '../lake/support.ts';
import { MIRRORS, type Mirror, openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';
import { EVOLUTIONS } from './evolutions.ts';

/** State, typed log, history, losses and watermark of a table: all that a rebuild has to bring back. */
async function picture(mirror: Mirror, name: string, { state = true } = {}): Promise<unknown> {
  const all = async (sql: string) => (await mirror.query(sql)).map((row) => JSON.stringify(row)).sort();
  return {
    state: state && (await all(`FROM public.${name}`)),
    changes: await all(`FROM public_changes.${name}`),
    columns: await mirror.query(`DESCRIBE public_changes.${name}`),
    history: await all(`FROM public_history.${name}`),
    at: await all(`FROM public_history.${name}_at('2999-01-01')`),
    losses: await all('FROM sluice.loss'),
    watermark: await all('SELECT table_name, last_batch, last_seq, "rows" FROM sluice.watermark'),
    tables: await all("SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'lake'"),
  };
}

/** What people do by mistake, and what a bug of ours could. */
const damages = (name: string, column: string) => [
  `DELETE FROM lake.public.${name} WHERE id % 2 = 0`,
  `UPDATE lake.public_changes.${name} SET ${column} = NULL`,
  `DELETE FROM lake.public_changes.${name} WHERE _seq % 3 = 0`,
  'DELETE FROM lake.sluice.loss',
];

/** Catalogs differ in what they make of DROP and RENAME in one transaction; the two that differ most. */
const KINDS = MIRRORS.filter((kind) => kind !== 'DuckLake on SQLite');

describe.each(KINDS)('rebuild: %s', (kind) => {
  test('brings back state, typed log, history and losses as they were', async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run(
      'CREATE TABLE item (id int PRIMARY KEY, v text, n numeric(12, 2), doc jsonb); CREATE TABLE other (id int PRIMARY KEY)',
    );
    await mirror.track('item', 'other');
    const makeBatch = async (text: string) => {
      await mirror.run(text);
      await mirror.drain();
    };
    await makeBatch("INSERT INTO item SELECT g, 'v' || g, g * 1.50, jsonb_build_object('a', g * 2.50) FROM generate_series(1, 40) g");
    await makeBatch(
      "UPDATE item SET v = 'changed' WHERE id < 10; DELETE FROM item WHERE id BETWEEN 5 AND 7; UPDATE item SET n = 'NaN' WHERE id = 20",
    );
    await makeBatch('INSERT INTO other SELECT generate_series(1, 5)');
    await makeBatch('UPDATE item SET id = id + 100 WHERE id > 30');
    await makeBatch(
      "INSERT INTO item VALUES (1000, 'gone', 1, NULL); TRUNCATE item; INSERT INTO item SELECT g, 'after', 'NaN', NULL FROM generate_series(1, 9) g",
    );
    await makeBatch("UPDATE item SET v = 'last' WHERE id = 3; DELETE FROM item WHERE id = 4");
    const before = await picture(mirror, 'item');
    for (const sliceSize of [1, 50, 1_000_000]) {
      await mirror.damage(...damages('item', 'v'));
      expect(await picture(mirror, 'item')).not.toEqual(before);
      const progress: number[] = [];
      const rebuilt = await mirror.rebuild('item', { sliceSize, progress: (batch) => void progress.push(batch) });
      expect(rebuilt).toMatchObject({ schema: 'public', name: 'item', rows: 8, losses: 12 });
      expect(progress).toEqual([...progress].sort((a, b) => a - b));
      expect(await picture(mirror, 'item')).toEqual(before);
    }
    await mirror.damage('DROP TABLE lake.public.item', 'DROP TABLE lake.public_changes.item');
    await mirror.rebuild('item');
    expect(await picture(mirror, 'item')).toEqual(before);
    await makeBatch("UPDATE item SET v = 'goes on', n = id; DELETE FROM item WHERE id = 2");
    await mirror.expectState('item', 'other');
  });

  // A catalog in PostgreSQL is asked over a connection, which takes most of the time: there those that change much at once.
  test.each(kind === 'DuckDB file' ? EVOLUTIONS : EVOLUTIONS.filter(({ changes }) => changes.length > 1))(
    '$what',
    async ({ ddl, after }) => {
      await using mirror = await openMirror(sharedPostgres(18), kind);
      await mirror.run('CREATE TABLE item (id int PRIMARY KEY, v text NOT NULL, w text, n int)');
      await mirror.track('item');
      await mirror.run("INSERT INTO item SELECT g, 'v' || g, 'w' || g, g FROM generate_series(1, 30) g");
      await mirror.drain();
      await mirror.run("UPDATE item SET w = 'second batch' WHERE id IN (2, 12)");
      await mirror.drain();
      await mirror.run("UPDATE item SET v = 'before', w = 'waiting' WHERE id = 1; DELETE FROM item WHERE id = 9");
      await mirror.run(ddl);
      const [{ name } = { name: '' }] = await mirror.sql<
        { name: string }[]
      >`SELECT relname AS name FROM pg_class WHERE relname IN ('item', 'thing') AND relkind = 'r'`;
      await mirror.run(`${after ?? ''}; DELETE FROM ${name} WHERE id = 8; UPDATE ${name} SET id = id WHERE id < 6`);
      await mirror.drain();
      await mirror.run(`DELETE FROM ${name} WHERE id = 3; UPDATE ${name} SET id = 300 WHERE id = 4`);
      await mirror.drain();
      const before = await picture(mirror, name);
      await mirror.damage(...damages(name, 'id'));
      await mirror.rebuild(name);
      expect(await picture(mirror, name)).toEqual(before);
      await mirror.expectState(name);
      await mirror.run(`DELETE FROM ${name} WHERE id = 5`);
      await mirror.drain();
      await mirror.expectState(name);
    },
  );

  test('follows a table that was dropped and made anew, and one that is gone', async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run('CREATE TABLE item (id int PRIMARY KEY, v text); CREATE TABLE other (id int PRIMARY KEY)');
    await mirror.track('item', 'other');
    await mirror.run("INSERT INTO item SELECT g, 'v' FROM generate_series(1, 20) g; INSERT INTO other VALUES (1), (2)");
    await mirror.drain();
    // The name means two tables within this batch; only the ids in the log tell them apart.
    await mirror.run("UPDATE item SET v = 'last'; DROP TABLE item; CREATE TABLE item (id int PRIMARY KEY, w int)");
    await mirror.track('item');
    await mirror.run('INSERT INTO item SELECT g, g FROM generate_series(15, 16) g; UPDATE other SET id = 3 WHERE id = 2; DROP TABLE other');
    await mirror.drain();
    const before = [await picture(mirror, 'item'), await picture(mirror, 'other', { state: false })];
    await mirror.damage('DELETE FROM lake.public.item', 'DELETE FROM lake.public_changes.item', 'DELETE FROM lake.public_changes.other');
    await mirror.rebuild('item');
    expect(await mirror.rebuild('other')).toMatchObject({ rows: null });
    expect([await picture(mirror, 'item'), await picture(mirror, 'other', { state: false })]).toEqual(before);
    await mirror.expectState('item');
  });

  test('a partition that was truncated takes its rows with it where it did', async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run(`CREATE TABLE item (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
      CREATE TABLE item_a PARTITION OF item FOR VALUES FROM (1) TO (50); CREATE TABLE item_b PARTITION OF item FOR VALUES FROM (50) TO (100)`);
    await mirror.track('item');
    for (const text of [
      "INSERT INTO item SELECT g, 'v' FROM generate_series(1, 99) g",
      "UPDATE item SET v = 'w' WHERE id % 2 = 0",
      'TRUNCATE item_a; INSERT INTO item VALUES (7, $$again$$)',
      "INSERT INTO item SELECT g, 'new' FROM generate_series(10, 20) g",
    ]) {
      await mirror.run(text);
      await mirror.drain();
    }
    await mirror.expectState('item');
    const before = await picture(mirror, 'item');
    await mirror.damage(...damages('item', 'v'));
    await mirror.rebuild('item');
    expect(await picture(mirror, 'item')).toEqual(before);
  });

  test('what a killed rebuild left is removed by the next one', async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run('CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1)');
    await mirror.track('item');
    await mirror.run('INSERT INTO item VALUES (2)');
    await mirror.drain();
    const before = await picture(mirror, 'item');
    await mirror.damage('CREATE TABLE lake.public."item (sluice rebuild 1234)" (id INTEGER)');
    await mirror.rebuild('item');
    expect(await picture(mirror, 'item')).toEqual(before);
  });
});

describe.each(KINDS)('rebuild beside a daemon: %s', (kind) => {
  test('batches that come in between are replayed too', async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run('CREATE TABLE item (id int PRIMARY KEY, v int)');
    await mirror.track('item');
    for (let id = 1; id <= 5; id += 1) {
      await mirror.run(`INSERT INTO item VALUES (${id}, 0); UPDATE item SET v = v + 1`);
      await mirror.drain();
    }
    await mirror.damage('DELETE FROM lake.public.item');
    let written = 0;
    const rebuilt = await mirror.rebuild('item', {
      sliceSize: 1,
      // After each slice, and so between the last one and the swap, too.
      progress: async () => {
        if (written === 3) return;
        written += 1;
        await mirror.run(`INSERT INTO item VALUES (${100 + written}, 0); UPDATE item SET v = v + 1`);
        await mirror.drain();
      },
    });
    expect(written).toBe(3);
    expect(rebuilt.rows).toBe(8);
    await mirror.expectState('item');
  });

  test.skipIf(kind === 'DuckDB file')(
    'a batch that is being applied while a table is swapped in is undone, and can be tried again',
    async () => {
      await using mirror = await openMirror(sharedPostgres(18), kind);
      await mirror.run('CREATE TABLE item (id int PRIMARY KEY)');
      await mirror.track('item');
      await mirror.run('INSERT INTO item VALUES (1)');
      await mirror.drain();
      const engine = await testEngine(['ducklake', 'postgres_scanner']);
      const session = new LakeSession(engine, mirror.lake);
      const apply = (meanwhile: () => Promise<unknown>) =>
        session.write('a batch', async (sql, fence) => {
          fence.check();
          await sql.run('INSERT INTO lake.public.item VALUES (2)');
          await meanwhile();
          await sql.run('UPDATE lake.sluice.anchor SET last_batch_id = last_batch_id');
          return { value: undefined, lastBatchId: fence.lastBatchId };
        });
      await session.acquire();
      await expect(apply(() => mirror.rebuild('item'))).rejects.toMatchObject({ code: 'lake_conflict' });
      expect(await mirror.query('FROM public.item')).toEqual([{ id: 1 }]);
      await session.acquire();
      await apply(async () => {});
      expect(await mirror.query('FROM public.item ORDER BY 1')).toEqual([{ id: 1 }, { id: 2 }]);
      await session.close();
      await engine.close();
    },
  );

  // One process may open a DuckDB file twice, and then loses what one of the two wrote: test/e2e/rebuild.test.ts has processes of their own.
  test.skipIf(kind === 'DuckDB file')('neither harms the other, and readers always see a whole table', async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run('CREATE TABLE item (id int PRIMARY KEY, v int)');
    await mirror.track('item');
    await mirror.run('INSERT INTO item SELECT g, 0 FROM generate_series(1, 100) g');
    await mirror.drain();
    let stop = false;
    const write = async () => {
      while (!stop) {
        await mirror.run('UPDATE item SET v = v + 1; UPDATE item SET id = id + 1000 WHERE id = (SELECT min(id) FROM item)');
        await mirror.drain();
        // A daemon's interval, by default.
        await sleep(1_000);
      }
    };
    const read = async () => {
      while (!stop) expect(await mirror.query('SELECT count(*) AS n FROM public.item')).toEqual([{ n: 100 }]);
    };
    const work = Promise.all([write(), read()]);
    try {
      for (let round = 0; round < 3; round += 1) expect(await mirror.rebuild('item', { sliceSize: 500 })).toMatchObject({ rows: 100 });
    } finally {
      stop = true;
      await work;
    }
    await mirror.drain();
    await mirror.expectState('item');
  });
});
