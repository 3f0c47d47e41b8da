import { describe, expect, test } from 'vitest';
import { MIRRORS, openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';

describe.each(MIRRORS)('state, typed log and history: %s', (kind) => {
  test('state equals the source after every batch; the log tells how it came to be', async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run('CREATE TABLE item (id int PRIMARY KEY, v text, n numeric(12, 2), doc jsonb, ok boolean)');
    await mirror.track('item');
    await mirror.run(
      `INSERT INTO item SELECT g, 'v' || g, g * 1.50, jsonb_build_object('a', g * 2.50), g % 2 = 0 FROM generate_series(1, 40) g`,
    );
    await mirror.drain();
    await mirror.expectState('item');
    await mirror.run(
      `UPDATE item SET v = 'changed', doc = NULL WHERE id <= 10; DELETE FROM item WHERE id BETWEEN 5 AND 7; UPDATE item SET id = id + 100 WHERE id > 38`,
    );
    await mirror.run(`INSERT INTO item VALUES (5, 'back', 1, '{}', NULL); DELETE FROM item WHERE id = 5`);
    await mirror.drain();
    await mirror.expectState('item');
    expect(await mirror.query('SELECT _op, count(*) AS n FROM public_changes.item GROUP BY 1 ORDER BY 1')).toEqual([
      { _op: 'D', n: 6 },
      { _op: 'I', n: 41 },
      { _op: 'U', n: 12 },
    ]);
    expect(
      await mirror.query('SELECT v, is_current, valid_to IS NULL AS open FROM public_history.item WHERE id = 1 ORDER BY valid_from'),
    ).toEqual([
      { v: 'v1', is_current: false, open: false },
      { v: 'changed', is_current: true, open: true },
    ]);
    await mirror.run('TRUNCATE item; INSERT INTO item VALUES (1, $$after$$, 1, NULL, true)');
    await mirror.drain();
    await mirror.expectState('item');
    expect(await mirror.query('SELECT table_schema, table_name, "rows", last_batch FROM sluice.watermark')).toEqual([
      // The table's load had number 2.
      { table_schema: 'public', table_name: 'item', rows: 1, last_batch: 4 },
    ]);
  });

  // 50,000 changes of a table and more take a way of their own.
  test('many changes at once, some of which the lake can not hold', async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run('CREATE TABLE item (id int PRIMARY KEY, n numeric(12, 2), v text); CREATE TABLE kept (id int PRIMARY KEY, v text)');
    await mirror.track('item', 'kept');
    await mirror.run(`INSERT INTO kept SELECT g, 'v' || g FROM generate_series(1, 60000) g`);
    await mirror.run(
      `INSERT INTO item SELECT g, CASE WHEN g % 10000 = 0 THEN 'NaN' ELSE g * 1.5 END, 'v' || g FROM generate_series(1, 60000) g`,
    );
    await mirror.drain();
    await mirror.expectState('kept');
    const about = `SELECT (SELECT count(*) FROM public.item) AS state, (SELECT count(*) FROM public_changes.item) AS log, (SELECT count(_seq) FROM public_changes.item) AS seqs,
      (SELECT list(id ORDER BY id) FROM public.item WHERE n IS NULL)::VARCHAR AS lost, (SELECT count(*) FROM sluice.loss) AS losses`;
    const lost = '[10000, 20000, 30000, 40000, 50000, 60000]';
    expect(await mirror.query(about)).toEqual([{ state: 60000, log: 60000, seqs: 60000, lost, losses: 6 }]);
    await mirror.run(
      `UPDATE kept SET v = v || '!' WHERE id > 5000; DELETE FROM kept WHERE id % 7 = 0; INSERT INTO kept VALUES (7, 'back')`,
    );
    await mirror.run(
      `UPDATE item SET n = 1 WHERE n = 'NaN'; UPDATE item SET v = 'w'; TRUNCATE kept; INSERT INTO kept SELECT g, 'w' FROM generate_series(1, 55000) g`,
    );
    await mirror.drain();
    await mirror.expectState('item', 'kept');
    expect(await mirror.query('SELECT table_name, "rows" FROM sluice.watermark ORDER BY 1')).toEqual([
      { table_name: 'item', rows: 60000 },
      { table_name: 'kept', rows: 55000 },
    ]);
    // Each the last of its key.
    await mirror.run(`UPDATE item SET v = 'x' WHERE id % 7 > 1; DELETE FROM item WHERE id % 7 < 2`);
    await mirror.drain();
    await mirror.expectState('item');
  });
});

test('a source that ends sessions which idle in a transaction', async () => {
  await using mirror = await openMirror(sharedPostgres(18), 'DuckLake on PostgreSQL');
  await mirror.run('CREATE TABLE item (id int PRIMARY KEY, v text)');
  await mirror.track('item');
  await mirror.run(
    `DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET idle_in_transaction_session_timeout = 20', current_database()); END $$`,
  );
  await mirror.run(`INSERT INTO item SELECT g, 'v' || g FROM generate_series(1, 5000) g`);
  await mirror.drain();
  await mirror.expectState('item');
});
