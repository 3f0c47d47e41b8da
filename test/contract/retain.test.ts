import { describe, expect, onTestFailed, test } from 'vitest';
import { MIRRORS, type Mirror, openMirror } from '../support/mirror.ts';
import { seeded } from '../support/search.ts';
import { sharedPostgres } from '../support/shared.ts';

const TABLES = ['item', 'pair', 'gone', 'lossy'];

/** Retention as the daemon does it, in slices so small that there are many. Returns the last batch that is gone. */
async function retain(mirror: Mirror, before: string, slice = { changes: 15, batches: 3 }): Promise<number> {
  const { lake } = mirror.composition.ports;
  await lake.acquire();
  for (let last = 0; ; ) {
    const done = await lake.retain(before, slice);
    if (done === undefined) return last;
    expect(done.batchId).toBeGreaterThan(last);
    last = done.batchId;
    if (!done.more) return last;
  }
}

/** Everything that history and as-of say of the time from this cut on. */
async function pictureFrom(mirror: Mirror, cut: string): Promise<Record<string, unknown>> {
  const all = async (sql: string, at?: string) => (await mirror.query(sql, at)).map((row) => JSON.stringify(row)).sort();
  const cuts = (
    await mirror.query(`SELECT strftime(cut_ts, '%Y-%m-%dT%H:%M:%S.%fZ') AS cut FROM sluice.batch WHERE cut_ts >= '${cut}' ORDER BY 1`)
  ).map((row) => String(row.cut));
  const picture: Record<string, unknown> = { cuts };
  for (const name of TABLES) {
    picture[`${name} history`] = await all(`FROM public_history.${name} WHERE valid_to IS NULL OR valid_to > '${cut}'`);
    for (const at of cuts.slice(0, 3)) picture[`${name} at ${at}`] = await all(`FROM public_history.${name}_at('${at}')`);
    picture[`${name} state`] = name === 'gone' ? null : await all(`FROM public.${name}`);
    picture[`${name} changes`] = await all(
      `SELECT c.* FROM public_changes.${name} c JOIN sluice.batch b ON b.batch_id = c._batch WHERE b.cut_ts > '${cut}'`,
    );
  }
  // By the view that --at reads, and by the snapshots of a DuckLake.
  for (const at of cuts.slice(0, 2)) {
    for (const name of ['item', 'pair']) picture[`${name} --at ${at}`] = await all(`FROM public.${name}`, at);
    picture[`item history --at ${at}`] = await all(`FROM public_history.item WHERE valid_to IS NULL OR valid_to > '${cut}'`, at);
  }
  picture.log = await all(`SELECT c.* FROM main.cdc c JOIN sluice.batch b USING (batch_id) WHERE b.cut_ts > '${cut}'`);
  picture.watermark = await all('SELECT table_name, last_batch, last_seq, last_change_ts, "rows" FROM sluice.watermark');
  // Of rows that are gone by then none; those of what a row is made of are still owed.
  const batch = `(SELECT max(batch_id) FROM sluice.batch WHERE cut_ts <= '${cut}')`;
  picture.losses = await all(
    `FROM sluice.loss WHERE batch_id > ${batch} OR (batch_id, cdc_seq) IN (SELECT (_batch, _seq) FROM (
       FROM public_changes.lossy WHERE _batch <= ${batch} QUALIFY row_number() OVER (PARTITION BY id ORDER BY _batch DESC, _seq DESC) = 1))`,
  );
  return picture;
}

// What a DuckLake's catalog is kept in makes no difference to these statements.
const KINDS = MIRRORS.filter((kind) => kind !== 'DuckLake on SQLite');

describe.each(KINDS)('retention: %s', (kind) => {
  test('old changes go; state, history and as-of from then on stay exactly as they were', { timeout: 300_000 }, async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run(`CREATE TABLE item (id int PRIMARY KEY, v text, n numeric(12, 2));
      CREATE TABLE pair (a int, b text, v int, PRIMARY KEY (a, b)) PARTITION BY RANGE (a);
      CREATE TABLE pair_1 PARTITION OF pair FOR VALUES FROM (0) TO (10); CREATE TABLE pair_2 PARTITION OF pair FOR VALUES FROM (10) TO (20);
      CREATE TABLE note (v int); CREATE TABLE gone (id int PRIMARY KEY, v int); CREATE TABLE still (id int PRIMARY KEY); CREATE TABLE lossy (id int PRIMARY KEY, n numeric(12, 2))`);
    await mirror.track(...TABLES, 'note', 'still');
    const { seed, random: next } = seeded();
    onTestFailed(() => console.error(`SLUICE_PROPERTY_SEED=${seed}`));
    const random = (below: number) => Math.floor(next() * below);
    const works = [
      () => `INSERT INTO item SELECT ${random(30)}, 'i', 1.5 ON CONFLICT (id) DO UPDATE SET v = item.v || '+'`,
      () => `UPDATE item SET v = 'u${random(1000)}', n = n + 1 WHERE id % 5 = ${random(5)}`,
      () => `DELETE FROM item WHERE id = ${random(30)}`,
      () => `UPDATE item SET id = id + 1000 WHERE id = ${random(30)} AND NOT EXISTS (SELECT FROM item WHERE id > 999)`,
      () => 'DELETE FROM item WHERE id > 999',
      () => `INSERT INTO pair SELECT ${random(20)}, 'b${random(3)}', 0 ON CONFLICT (a, b) DO UPDATE SET v = pair.v + 1`,
      () => `DELETE FROM pair WHERE a = ${random(20)}`,
      () => `UPDATE pair SET a = (a + 10) % 20, b = md5(b || '${random(1e6)}')`,
      () => `INSERT INTO lossy VALUES (${random(9)}, '${random(2) === 0 ? 'NaN' : 1.5}') ON CONFLICT (id) DO UPDATE SET n = excluded.n`,
      () => `INSERT INTO note VALUES (${random(9)})`,
      () => `INSERT INTO gone VALUES (${random(9)}, 1) ON CONFLICT (id) DO UPDATE SET v = gone.v + 1`,
    ];
    const rare = [
      () => 'TRUNCATE item',
      () => `TRUNCATE item; INSERT INTO item VALUES (1, 'after', 1), (2, 'after', 2)`,
      () => `INSERT INTO item VALUES (${5000 + random(1e6)}, 'x', 2); TRUNCATE item`,
      () => 'TRUNCATE pair_1',
      () => 'TRUNCATE pair',
      () => 'DELETE FROM item',
    ];
    const work = async (batches: number) => {
      for (let i = 0; i < batches; i += 1) {
        for (let j = 1 + random(4); j > 0; j -= 1) await mirror.run(works[random(works.length)]?.() ?? '');
        if (random(6) === 0) await mirror.run(rare[random(rare.length)]?.() ?? '');
        await mirror.drain();
      }
    };
    await mirror.run(`INSERT INTO item SELECT g, 'first', 1 FROM generate_series(1, 30) g; INSERT INTO still SELECT generate_series(1, 5);
      INSERT INTO gone SELECT g, 0 FROM generate_series(1, 9) g; INSERT INTO pair SELECT g, 'b0', 0 FROM generate_series(0, 19) g;
      INSERT INTO lossy VALUES (100, 'NaN'), (101, 'NaN'); UPDATE lossy SET n = 1 WHERE id = 101`);
    await mirror.drain();
    const cutOf = async (batch: number) =>
      String(
        (await mirror.query(`SELECT strftime(cut_ts, '%Y-%m-%dT%H:%M:%S.%fZ') AS cut FROM sluice.batch WHERE batch_id = ${batch}`))[0]?.cut,
      );
    const last = async () => Number((await mirror.query('SELECT last_batch_id AS n FROM sluice.anchor'))[0]?.n);

    await work(kind === 'DuckDB file' ? 8 : 4);
    for (const round of kind === 'DuckDB file' ? [1, 2, 3] : [1]) {
      if (round === 2) await mirror.run('DROP TABLE gone; ALTER TABLE item ADD COLUMN w int DEFAULT 7');
      if (round === 3) await mirror.run('ALTER TABLE item RENAME COLUMN v TO value; ALTER TABLE item RENAME COLUMN w TO v');
      if (round === 2) works.pop();
      if (round === 3) works.splice(0, 3);
      await work(6);
      const horizon = (await last()) - 4;
      // Batches before the one with this cut go.
      const cut = await cutOf(horizon);
      const before = await pictureFrom(mirror, cut);
      expect(await retain(mirror, await cutOf(horizon + 1))).toBe(horizon);
      expect(await pictureFrom(mirror, cut)).toEqual(before);
      expect(await mirror.query(`SELECT count(*) AS n FROM main.cdc WHERE batch_id <= ${horizon}`)).toEqual([{ n: 0 }]);
      expect(await mirror.query(`SELECT count(*) AS n FROM public_changes.note WHERE _batch <= ${horizon}`)).toEqual([{ n: 0 }]);
      for (const [name, key] of [
        ['item', 'id'],
        ['pair', 'a, b'],
      ]) {
        expect(
          await mirror.query(`SELECT count(*) AS n, count(DISTINCT (${key})) AS keys, count(*) FILTER (_op IN ('D', 'T')) AS ended
            FROM public_changes.${name} WHERE _batch <= ${horizon} HAVING n <> keys OR ended > 0`),
        ).toEqual([]);
      }
      expect(
        await mirror.query(`SELECT table_id FROM sluice.batch_table WHERE batch_id <= ${horizon} GROUP BY 1 HAVING count(*) > 1`),
      ).toEqual([]);
      expect(
        await mirror.query(`SELECT count(*) AS n FROM sluice.batch WHERE batch_id < ${horizon} AND kind <> 'load' AND batch_id NOT IN (SELECT _batch FROM public_changes.item
          UNION ALL SELECT _batch FROM public_changes.pair UNION ALL SELECT _batch FROM public_changes.gone UNION ALL SELECT _batch FROM public_changes.still UNION ALL SELECT _batch FROM public_changes.lossy)`),
      ).toEqual([{ n: 0 }]);
      expect(
        await mirror.query(
          `SELECT count(*) AS n FROM sluice.loss WHERE batch_id <= ${horizon} AND (batch_id, cdc_seq) NOT IN (SELECT (_batch, _seq) FROM public_changes.lossy)`,
        ),
      ).toEqual([{ n: 0 }]);
      expect(await mirror.query("SELECT batch_id, strftime(cut_ts, '%Y-%m-%dT%H:%M:%S.%fZ') AS cut FROM sluice.retained")).toEqual([
        { batch_id: horizon, cut },
      ]);
      await mirror.expectState('item', 'pair', 'still');
      expect(await retain(mirror, cut)).toBe(0);
      const early = new Date(Date.parse(cut) - 1).toISOString();
      await expect(mirror.query('FROM public.item', early)).rejects.toMatchObject({
        code: 'query_time',
        message: expect.stringContaining(cut),
      });
    }

    await expect(mirror.rebuild('item')).rejects.toMatchObject({ code: 'rebuild_log_pruned' });
    await mirror.run('CREATE TABLE late (id int PRIMARY KEY)');
    await mirror.track('late');
    await mirror.run('INSERT INTO late VALUES (1), (2)');
    await work(2);
    await mirror.damage('DELETE FROM lake.public.late');
    expect(await mirror.rebuild('late')).toMatchObject({ rows: 2 });
    await mirror.expectState('item', 'pair', 'still', 'late');
    // All that there is: the state alone is left, each row with the change that made it.
    await retain(mirror, '2999-01-01', { changes: 1_000_000, batches: 1000 });
    expect(await mirror.query('SELECT count(*) AS n FROM main.cdc')).toEqual([{ n: 0 }]);
    await mirror.expectState('item', 'pair', 'still', 'late');
    await work(2);
    await mirror.expectState('item', 'pair', 'still', 'late');
  });

  test('a rebuild that runs while its log is taken away leaves the table as it is', { timeout: 120_000 }, async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run('CREATE TABLE item (id int PRIMARY KEY, v int)');
    await mirror.track('item');
    for (let batch = 0; batch < 6; batch += 1) {
      await mirror.run(`INSERT INTO item VALUES (${batch}, 0); UPDATE item SET v = v + 1`);
      await mirror.drain();
    }
    let calls = 0;
    const progress = async () => {
      calls += 1;
      if (calls === 3) await retain(mirror, '2999-01-01');
      await mirror.composition.ports.lake.release();
    };
    await expect(mirror.rebuild('item', { sliceSize: 1, progress })).rejects.toMatchObject({ code: 'rebuild_log_pruned' });
    expect(calls).toBeGreaterThan(2);
    await mirror.expectState('item');
  });
});
