import { appendFile } from 'node:fs/promises';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { sharedPostgres } from '../support/shared.ts';
import { until } from '../support/until.ts';
import { createScene, LAKES, type Scene } from './scene.ts';

const gaps = (scene: Scene) =>
  scene.query(
    'SELECT from_ts < to_ts AS forward, tables::VARCHAR AS tables, after_xid, cause, closed_ts IS NOT NULL AS closed FROM sluice.gap',
  );
const paused = async (scene: Scene) =>
  (await scene.sql`SELECT table_name AS name FROM audit.tracked_table WHERE paused_at IS NOT NULL AND resumed_at IS NULL ORDER BY 1`).map(
    ({ name }) => name,
  );
const fill = (scene: Scene, from: number) =>
  scene.sql`INSERT INTO item SELECT g, repeat('x', 200), 0 FROM generate_series(${from}::int, ${from + 5000}::int) g`;

describe('the lake is away, the buffer too large, and the daemon is killed', () => {
  let catalog: TestPostgres;
  beforeAll(async () => {
    catalog = await startPostgres(sharedPostgres().version);
  });
  afterAll(() => catalog.stop());

  const POINTS = ['pause', 'resume', 'paused-gap', 'forget-pause'].flatMap((step) => [`before-${step}`, `after-${step}`] as const);
  test.each(POINTS as never[])('at %s', async (point: (typeof POINTS)[number]) => {
    await catalog.start();
    await using scene = await createScene(sharedPostgres(), 'DuckLake on PostgreSQL', catalog);
    await appendFile(scene.config, 'disk_guard: { limit: 500kB, tables: ["*.item", "*.part"] }\n');
    await scene.drain();
    const [item, part] = (
      await scene.sql`SELECT table_id AS id FROM audit.tracked_table WHERE table_name IN ('item', 'part') ORDER BY table_name`
    ).map(({ id }) => id);
    await catalog.halt();
    await fill(scene, 1);
    const first = scene.child({
      daemon: true,
      ...(point.endsWith('-pause') && !point.includes('forget') ? { point: point as never } : {}),
    });
    const pausing = point === 'before-pause' || point === 'after-pause';
    if (pausing) {
      const { signal, log } = await first.ended;
      expect(signal, log).toBe('SIGKILL');
      expect(await paused(scene)).toEqual(point === 'before-pause' ? [] : ['item', 'part']);
    }
    const second = pausing ? scene.child({ daemon: true }) : first;
    await until('it is paused', async () => (await paused(scene)).length === 2);
    // Lost; and what the pause leaves alone.
    await fill(scene, 100_001);
    await scene.sql`INSERT INTO journal (what) VALUES ('beside')`;
    second.process.kill('SIGKILL');
    await second.ended;
    expect(await paused(scene)).toEqual(['item', 'part']);
    await catalog.start();
    if (!pausing) {
      const { signal, log } = await scene.child({ daemon: true, point: point as never }).ended;
      expect(signal, log).toBe('SIGKILL');
    }
    // Whoever comes next ends it: no guard is needed for that.
    const last = scene.child({ daemon: true });
    await until(
      'the pause is forgotten',
      async () => (await scene.sql`SELECT FROM audit.tracked_table WHERE paused_at IS NOT NULL`).length === 0,
    );
    await scene.sql`INSERT INTO item VALUES (200001, 'after', 1)`;
    last.process.kill('SIGTERM');
    await last.ended;
    await scene.drain();
    // The repair of open gaps has brought what was lost, of these tables alone.
    expect(await gaps(scene)).toEqual([
      { forward: true, tables: `[${item},${part}]`, after_xid: expect.any(Number), cause: 'paused', closed: true },
    ]);
    expect(
      await scene.query('SELECT count(*) AS n, count(*) FILTER (id > 100000 AND id < 200000) AS lost, max(id) AS last FROM public.item'),
    ).toEqual([{ n: 10_003, lost: 5001, last: 200001 }]);
    expect(await scene.query("SELECT count(*) AS n FROM public_changes.item WHERE _op = 'R'")).toEqual([{ n: 5001 }]);
    expect(await scene.query('SELECT what FROM public.journal')).toEqual([{ what: 'beside' }]);
  });
});

describe.each(LAKES)('the daemon is killed while it takes old changes away, %s', (kind) => {
  test.each(['before-retain', 'after-retain'] as const)('at %s', async (point) => {
    await using scene = await createScene(sharedPostgres(), kind);
    await appendFile(scene.config, 'retain: 1ms\n');
    await scene.sql`INSERT INTO item SELECT g, 'v', 0 FROM generate_series(1, 20) g`;
    const { signal, log } = await scene.child({ point }).ended;
    expect(signal, log).toBe('SIGKILL');
    await scene.sql`UPDATE item SET v = 'w' WHERE id < 11`;
    await scene.drain();
    const ended = await scene.child({}).ended;
    expect(ended.code, ended.log).toBe(0);
    expect(
      await scene.query(`SELECT (SELECT count(*) FROM main.cdc) AS log, (SELECT count(*) FROM public.item) AS state,
      (SELECT count(*) FROM public_history.item WHERE is_current) AS current, (SELECT count(*) FROM public_changes.item) AS changes,
      (SELECT "rows" FROM sluice.watermark WHERE table_name = 'item') AS "rows", (SELECT count(*) FROM sluice.retained) AS retained`),
    ).toEqual([{ log: 0, state: 20, current: 20, changes: 20, rows: 20, retained: 1 }]);
  });
});
