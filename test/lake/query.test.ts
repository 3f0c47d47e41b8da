import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Engine } from '../../src/lake/engine.ts';
import { openLake } from '../../src/lake/lake.ts';
import { openForQuery, type QueryLake } from '../../src/lake/query.ts';
import { testEngine } from './support.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-query-'));
const config = { type: 'duckdb', path: join(folder, 'lake.duckdb') } as const;
const copied = join(folder, 'copied.csv');
let engine: Engine;
let lake: QueryLake;

beforeAll(async () => {
  engine = await testEngine([]);
  const made = openLake(engine, config);
  await made.acquire();
  await made.close();
  lake = await openForQuery(engine, config);
});

afterAll(async () => {
  await lake.close();
  await engine.close();
  rmSync(folder, { recursive: true });
});

it.each([
  'SELECT 1',
  'FROM sluice.batch;',
  'VALUES (1)',
  '-- why\nWITH one AS (SELECT 1) FROM one',
  'SHOW ALL TABLES',
  'DESCRIBE sluice.batch',
  'SUMMARIZE sluice.batch',
  "PRAGMA table_info('sluice.batch')",
  'PIVOT (SELECT 1 AS a) ON a IN (1)',
  'EXPLAIN SELECT 1',
  'EXPLAIN ANALYZE FROM sluice.batch',
  'EXPLAIN (FORMAT json) SELECT 1',
  '-- why\nEXPLAIN /* how */ ANALYZE SELECT 1',
])('reads: %s', async (text) => {
  const { columns } = await lake.query(text);
  expect(columns.length).toBeGreaterThan(0);
});

it.each([
  '',
  '  ',
  '-- nothing',
  '/* nothing */ ;',
  'SELECT 1; SELECT 2',
  `ATTACH '${config.path}.other' AS w; CREATE TABLE w.t (a int)`,
  `ATTACH '${config.path}.other' AS w`,
  `COPY (SELECT 1) TO '${copied}'`,
  `EXPLAIN ANALYZE COPY (SELECT 1) TO '${copied}'`,
  `EXPLAIN (ANALYZE) COPY (SELECT 1) TO '${copied}'`,
  `EXPLAIN /* x */ ANALYZE COPY (SELECT 1) TO '${copied}'`,
  `EXPORT DATABASE '${copied}'`,
  `/* why */ EXPLAIN ANALYZE EXPORT DATABASE '${copied}'`,
  'INSTALL httpfs',
  'LOAD httpfs',
  'SET threads = 1',
  'USE memory',
  'DETACH lake',
  'CHECKPOINT',
  'BEGIN',
  'CREATE TEMP TABLE t AS SELECT 1',
])('refuses: %s', async (text) => {
  await expect(lake.query(text)).rejects.toMatchObject({ code: 'query_refused', remedy: expect.stringContaining('SELECT') });
  expect(existsSync(copied)).toBe(false);
});

it.each(['SELEKT 1', 'FROM no_such_table'])('shows the message of DuckDB for: %s', async (text) => {
  await expect(lake.query(text)).rejects.toMatchObject({ code: 'query_failed', message: expect.stringMatching(/^(Parser|Catalog) Error/) });
});
