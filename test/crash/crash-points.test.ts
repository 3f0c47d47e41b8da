import { describe, expect, test } from 'vitest';
import { CRASH_POINTS } from '../../src/pipeline/index.ts';
import { sharedPostgres } from '../support/shared.ts';
import { expectStateEqualsTable } from '../support/state.ts';
import { createScene, LAKES, Workload } from './scene.ts';

/** Points that only a source crash leads to; source-crash.test.ts visits them. Those of follow: test/contract/follow.test.ts; of the guard and of retention: guard.test.ts. */
const AFTER_SOURCE_CRASH = ['before-gap', 'after-gap', 'before-epoch', 'after-epoch'];

/** Swap, move and settle are over before the lake comes in: one kind of lake is enough for them. */
const WITHOUT_LAKE = /-(swap|move|settle)$/;

describe.each(LAKES)('invariants 1 and 2 hold for kill -9 of the daemon, %s', (kind) => {
  const points = CRASH_POINTS.filter(
    (point) => !AFTER_SOURCE_CRASH.includes(point) && !/-(follow|pause|resume|paused-gap|retain)$/.test(point),
  );
  test.each(points.filter((point) => kind === LAKES[0] || !WITHOUT_LAKE.test(point)))('%s', async (point) => {
    await using scene = await createScene(sharedPostgres(), kind);
    // Chunks of a load have a transaction of their own where there are several of them; and such a load shares none, so that there are two to be hit.
    if (/-(chunk|load|complete)$/.test(point))
      await scene.sql`INSERT INTO item SELECT -1000 - g, repeat('x', 500), 0 FROM generate_series(1, 200) g`;
    const workload = new Workload(scene.sql);
    // A transaction that stays open holds the buffer: batches are moved instead of swapped.
    const moves = point.endsWith('-move');
    const release = Promise.withResolvers<void>();
    const held = moves
      ? scene.sql.begin(async (tx) => {
          await tx`INSERT INTO item VALUES (-1, 'held', 0)`;
          await release.promise;
        })
      : undefined;
    // Twice on the first lake, so that what recovers is killed as well; crash-property.test.ts does that on both.
    for (const hit of kind === LAKES[0] ? [2, 1] : [2]) {
      const { signal, log } = await scene.child({ point, hit, chunkRows: 20 }).ended;
      expect(signal, log).toBe('SIGKILL');
    }
    release.resolve();
    await held;
    await workload.stop();
    await scene.drain();
    expect(workload.committed).toBeGreaterThan(10);
    expect(await scene.verify()).toBeGreaterThan(20);
    for (const name of ['item', 'part', 'journal']) await expectStateEqualsTable(scene.sql, scene.query, 'public', name);
    const [open] = await scene.sql`SELECT count(*)::int AS n FROM audit.batch WHERE state = 'open'`;
    expect(open?.n).toBe(0);
  });
});
