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
      { table_schema: 'public', table_name: 'item', rows: 1, last_batch: 3 },
    ]);
  });
});
