import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { install, PostgresSource } from '../../src/source/index.ts';
import { deploy } from '../support/deployment.ts';
import { begin, expectGaps, gapsOf, now, reconnected } from '../support/gaps.ts';
import { startPostgres } from '../support/postgres.ts';
import { sharedPostgres } from '../support/shared.ts';
import { until } from '../support/until.ts';

/** Invariant 5 for the real daemon, which nobody helps. */

test('the source is stopped at once under load, ten times: a gap each time, repaired, and nobody had to help', {
  timeout: 600_000,
}, async () => {
  await using server = await startPostgres(sharedPostgres().version);
  await using lake = await deploy(server, { kind: 'DuckDB file' });
  await begin(lake);
  const daemon = lake.start(['run']);
  let writing = true;
  let written = 0;
  const writers = [1, 2].map(async () => {
    while (writing) {
      const wrote = lake.sql`INSERT INTO item (v) SELECT md5(g::text) FROM generate_series(1, 20) g`;
      await wrote.then(
        () => written++,
        () => undefined,
      );
      // Flat out, a machine of two cores is busy with nothing but this.
      await sleep(20);
    }
  });
  const epoch = async () => (await lake.sql`SELECT epoch FROM audit.epoch`.catch(() => []))[0]?.epoch;
  const crashes: Date[] = [];
  const markers: string[] = [];
  try {
    for (let crash = 1; crash <= 10; crash++) {
      const before = await epoch();
      const progress = written + 5;
      await until('the application writes', () => written > progress);
      crashes.push(await now(lake.sql));
      await server.crash();
      await server.start();
      await reconnected(lake.sql);
      await until('the daemon has named the gap', async () => {
        expect(daemon.process.exitCode, daemon.log()).toBeNull();
        const current = await epoch();
        return current !== undefined && current !== before;
      });
      const marker = `marker ${crash}`;
      await lake.sql`INSERT INTO item (v) VALUES (${marker})`;
      markers.push(marker);
      await until('the marker has left the buffer', async () => {
        const [row] =
          await lake.sql`SELECT EXISTS (SELECT FROM audit.cdc WHERE data ->> 'v' = ${marker}) OR EXISTS (SELECT FROM audit.cdc_old) AS waits`;
        return row?.waits === false;
      });
    }
  } finally {
    writing = false;
    await Promise.all(writers);
    daemon.process.kill('SIGTERM');
  }
  expect(await daemon.ended).toMatchObject({ code: 0 });
  await expectGaps(
    lake,
    crashes.map((around) => ({ cause: 'source_crash', around })),
  );
  const logged = await lake.reading((query) =>
    query("SELECT data ->> 'v' AS v FROM main.cdc WHERE data ->> 'v' LIKE 'marker%' ORDER BY batch_id, cdc_seq"),
  );
  expect(logged.map(({ v }) => v)).toEqual(markers);
  const { stdout } = await lake.run('status');
  expect(stdout).toMatch(/gaps +0 open, 10 repaired/);
});

test('14: a prepared transaction outlives the crash, its captured rows do not: the gap waits for its end', async () => {
  await using server = await startPostgres(sharedPostgres().version);
  await using lake = await deploy(server, { kind: 'DuckDB file' });
  await using source = new PostgresSource({ url: lake.url, lockTimeoutMs: 50 });
  await begin(lake);
  const session = await lake.sql.reserve();
  await session.unsafe('BEGIN');
  const [prepared] = await session`INSERT INTO item (v) VALUES ('prepared') RETURNING pg_current_xact_id()::text AS xid`;
  await session.unsafe("PREPARE TRANSACTION 'long'");
  session.release();
  const lost = await now(lake.sql);
  await server.crash();
  await server.start();
  await reconnected(lake.sql);
  await expectGaps(lake, [{ cause: 'source_crash', around: lost, open: true }]);
  const [gap] = await gapsOf(lake);
  const afterXid = BigInt(gap?.after_xid ?? 0);
  expect(afterXid).toBeGreaterThan(BigInt(prepared?.xid));
  expect(await source.oldestXid(), 'a repair that begins now would not see it').toBeLessThan(afterXid);

  await lake.sql`COMMIT PREPARED 'long'`;
  expect(await source.oldestXid()).toBeGreaterThanOrEqual(afterXid);
  await expectGaps(lake, [{ cause: 'source_crash', around: lost }]);
  expect(await lake.sql`SELECT FROM item WHERE v = 'prepared'`).toHaveLength(1);
  expect(await lake.ok('query', "SELECT 1 AS one FROM main.cdc WHERE data ->> 'v' = 'prepared'"), 'nobody captured it').toEqual([]);
});

test('a logged buffer outlives the crash: no gap', async () => {
  await using server = await startPostgres(sharedPostgres().version);
  await using lake = await deploy(server, { kind: 'DuckDB file' });
  await begin(lake);
  await install(lake.url, { buffer: 'logged' });
  await lake.sql`INSERT INTO item (v) VALUES ('waits')`;
  await server.crash();
  await server.start();
  await reconnected(lake.sql);
  await expectGaps(lake, []);
  expect((await lake.verify()).map(({ data }) => JSON.parse(data ?? '').v)).toEqual(['first', 'waits', 'after the gap', 'later']);
});

test('the source goes away in the middle of a swap: the daemon hears of it and asks again', async () => {
  await using server = await startPostgres(sharedPostgres().version);
  await using lake = await deploy(server, { kind: 'DuckDB file' });
  await using source = new PostgresSource({ url: lake.url, lockTimeoutMs: 60_000 });
  await begin(lake);
  for (let time = 1; time <= 3; time++) {
    await lake.sql`INSERT INTO item (v) VALUES ('waits')`;
    const session = await lake.sql.reserve();
    await session.unsafe('BEGIN; LOCK TABLE audit.cdc_old IN ACCESS EXCLUSIVE MODE');
    const swap = source.swap().catch((error) => error);
    await until('the swap waits', async () => (await lake.sql`SELECT FROM pg_locks WHERE NOT granted`).length > 0);
    await server.crash();
    expect((await swap).code).toMatch(/CONNECTION_CLOSED|ECONNRESET|57P/);
    await server.start();
    await reconnected(lake.sql);
    expect(await source.openBatch()).toBeUndefined();
  }
});
