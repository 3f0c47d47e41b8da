import { expect, test } from 'vitest';
import { drain } from '../../src/pipeline/index.ts';
import { MIRRORS, openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';

/** Loads that people ask for: audit.load on one side, sluice.load on the other. */

test.each(MIRRORS)('a request is taken up though the source never rests: %s', { timeout: 120_000 }, async (kind) => {
  await using mirror = await openMirror(sharedPostgres(18), kind);
  await mirror.run('CREATE TABLE item (id int PRIMARY KEY)');
  await mirror.track('item');
  await mirror.drain();
  await mirror.sql`SELECT audit.request_load(table_id, 'compare') FROM audit.tracked_table`;
  const { ports } = mirror.composition;
  for (let id = 0; id < 8; id += 1) {
    await mirror.sql`INSERT INTO item VALUES (${id})`;
    expect((await ports.loader.step(await drain(ports))) || id === 0).toBe(true);
    if ((await mirror.sql`SELECT FROM audit.load WHERE mode = 'compare' AND done_at IS NULL`).length === 0) break;
  }
  expect(await mirror.sql`SELECT result FROM audit.load WHERE mode = 'compare'`).toMatchObject([{ result: { missing: 0, extra: 0 } }]);
});

test('a load whose end was not reported is reported by the next process; one that the lake does not know is asked for again', async () => {
  await using mirror = await openMirror(sharedPostgres(18), 'DuckLake on SQLite');
  await mirror.run('CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2)');
  await mirror.track('item');
  await mirror.load('item', 'compare');
  const done = () => mirror.sql`SELECT mode, done_at IS NOT NULL AS done, result FROM audit.load ORDER BY mode DESC`;
  const before = await done();
  // Killed between the lake's commit and the report.
  await mirror.sql`UPDATE audit.load SET done_at = NULL, result = NULL`;
  await mirror.sql`INSERT INTO audit.load (table_id, mode, began_at) SELECT table_id, 'verify', now() FROM audit.tracked_table`;
  await mirror.sql`INSERT INTO audit.load (table_id, mode, began_at) SELECT table_id, 'fill', now() FROM audit.tracked_table`;
  await mirror.restart('');
  await mirror.drain();
  expect(await done()).toEqual([
    { mode: 'verify', done: true, result: { rows: 2, missing: 0, different: 0, extra: 0 } },
    { mode: 'fill', done: true, result: null },
    ...before,
  ]);
});
