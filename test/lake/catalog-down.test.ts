import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { Engine } from '../../src/lake/engine.ts';
import { extensionsFor } from '../../src/lake/extensions.ts';
import { openLake } from '../../src/lake/lake.ts';
import { openForQuery } from '../../src/lake/query.ts';
import type { Batch } from '../../src/model/batch.ts';
import { classify } from '../../src/model/fault.ts';
import type { Lake } from '../../src/pipeline/ports.ts';
import { identity, newBatch, stageRows as stage } from '../contract/lake.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { until } from '../support/until.ts';
import { testEngine } from './support.ts';

let server: TestPostgres;
let folder: string;
let engine: Engine;
let reader: Engine;
let lake: Lake;
let config: { type: 'ducklake'; catalog: string; data: string };
let expected = 0;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-down-'));
  server = await startPostgres(18);
  config = { type: 'ducklake', catalog: server.url, data: join(folder, 'data') };
  engine = await testEngine(extensionsFor(config, 'fifo'), { threads: 2 });
  reader = await testEngine(extensionsFor(config, 'fifo'), { threads: 1 });
  lake = openLake(engine, config);
  await lake.acquire();
});
afterAll(async () => {
  await engine?.close();
  await reader?.close();
  await server?.stop();
  await rm(folder, { recursive: true, force: true });
});

const rows = (count: number) => Array.from({ length: count }, (_, seq) => ({ seq, data: `{"n":${seq}}` }));

/** What the drain does after a failure: look whether the lake has the batch, and apply it if not. */
async function settle(batch: Batch, count: number): Promise<void> {
  const found = await lake.find(batch.id);
  if (found === undefined) await lake.apply(batch, await stage(engine, batch, rows(count)), [], identity);
  expected += count;
}

async function expectWhole(): Promise<void> {
  const query = await openForQuery(reader, config);
  const { rows: seen } = await query.query(
    'SELECT (SELECT count(*) FROM cdc) AS log, (SELECT sum("rows") FROM sluice.batch) AS ledger, (SELECT count(*) = max(batch_id) FROM sluice.batch) AS dense',
  );
  await query.close();
  expect(seen).toEqual([{ log: expected, ledger: expected, dense: true }]);
}

async function killBackends(): Promise<void> {
  const sql = postgres(server.url, { max: 1, onnotice: () => undefined });
  await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid()`;
  await sql.end();
}

test('catalog connections killed between two batches', async () => {
  for (let round = 0; round < 2; round += 1) {
    const batch = newBatch();
    const staged = await stage(engine, batch, rows(20));
    await lake.apply(batch, staged, [], identity).catch(() => undefined);
    await settle(batch, 20);
    await killBackends();
  }
  await expectWhole();
});

test('catalog connections killed at any moment of a batch: all of it or nothing, and the next attempt works', async () => {
  let failures = 0;
  for (let round = 0; round < 24; round += 1) {
    const batch = newBatch();
    const staged = await stage(engine, batch, rows(20));
    const applying = lake.apply(batch, staged, [], identity).catch((error: unknown) => error);
    await sleep(round * 6);
    await killBackends();
    const outcome = await applying;
    if (outcome instanceof Error) {
      failures += 1;
      // Which of the two depends on what the engine was reading: both pass by themselves.
      expect(outcome).toMatchObject({ name: 'SluiceError', code: expect.stringMatching(/^lake_(?:unreachable|engine_broken)$/) });
      expect(outcome.message).not.toContain('sluice-test');
    }
    await settle(batch, 20);
  }
  expect(failures).toBeGreaterThan(0);
  await expectWhole();
});

test('a connection that dies while inlined rows are read breaks the engine: it is opened anew', async () => {
  const batch = newBatch();
  // Few rows stay in the catalog, where a lock keeps the reader waiting at the very place.
  await lake.apply(batch, await stage(engine, batch, rows(3)), [], identity);
  expected += 3;
  const sql = postgres(server.url, { max: 2, onnotice: () => undefined });
  const before = engine.generation;
  await sql.begin(async (tx) => {
    const inlined = await tx`SELECT relname AS name FROM pg_class WHERE relname ~ '^ducklake_inlined_data_[0-9]' AND relkind = 'r'`;
    for (const { name } of inlined) await tx`LOCK TABLE ${tx(name)} IN ACCESS EXCLUSIVE MODE`;
    const finding = lake.find(batch.id).catch((error: unknown) => error);
    await until(
      'the reader meets the lock',
      async () => (await sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event_type = 'Lock'`).length > 0,
    );
    expect(classify(await finding)).toMatchObject({ code: 'lake_engine_broken', retry: true });
  });
  await sql.end();
  expect(await lake.find(batch.id)).toMatchObject({ id: batch.id, rows: 3 });
  expect(engine.generation).toBe(before + 1);
  const next = newBatch();
  await settle(next, 20);
  await expectWhole();
});

test('catalog server stopped between two batches and in the middle of one', async () => {
  await server.halt();
  const batch = newBatch();
  const staged = await stage(engine, batch, rows(20));
  await expect(lake.apply(batch, staged, [], identity)).rejects.toMatchObject({ code: 'lake_unreachable' });
  await expect(lake.find(batch.id)).rejects.toMatchObject({ code: 'lake_unreachable' });
  await server.start();
  await settle(batch, 20);
  await expectWhole();
  const next = newBatch();
  const restaged = await stage(engine, next, rows(20));
  const applying = lake.apply(next, restaged, [], identity).catch((error: unknown) => error);
  await sleep(15);
  await server.crash();
  await applying;
  await server.start();
  await settle(next, 20);
  await expectWhole();
});
