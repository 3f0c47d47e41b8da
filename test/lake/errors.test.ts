import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import type { LakeConfig } from '../../src/lake/config.ts';
import type { Engine } from '../../src/lake/engine.ts';
import { lakeError } from '../../src/lake/errors.ts';
import { openLake } from '../../src/lake/lake.ts';
import { openForQuery } from '../../src/lake/query.ts';
import { redact, secretsOf } from '../../src/lake/redact.ts';
import { sharedPostgres } from '../support/shared.ts';
import { testEngine } from './support.ts';

// lake_locked, lake_full, lake_conflict and a catalog that dies are provoked by the tests named after them.
let engine: Engine;
let folder: string;
beforeAll(async () => {
  engine = await testEngine(['ducklake', 'postgres_scanner', 'sqlite_scanner'], { threads: 1 });
  folder = await mkdtemp(join(tmpdir(), 'sluice-errors-'));
});
afterAll(async () => {
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

async function failure(config: LakeConfig): Promise<Error & { code: string }> {
  return openLake(engine, config)
    .acquire()
    .then(
      () => {
        throw new Error('it could be opened');
      },
      (error) => error,
    );
}
const onPostgres = (change: (url: URL) => void): LakeConfig => {
  const url = new URL(sharedPostgres().url);
  change(url);
  return { type: 'ducklake', catalog: url.href, data: join(folder, 'data') };
};

test('a catalog that is not there, refuses the password, or has no such database', async () => {
  expect(await failure(onPostgres((url) => (url.port = '1')))).toMatchObject({ code: 'lake_unreachable' });
  expect(await failure(onPostgres((url) => (url.pathname = '/no_such_database')))).toMatchObject({ code: 'lake_unreachable' });
  const denied = await failure(onPostgres((url) => (url.password = 'open%20sesame')));
  expect(denied).toMatchObject({ code: 'lake_denied' });
  expect(`${denied.message}${denied.stack}${(denied.cause as Error).message}${(denied.cause as Error).stack}`).not.toContain('sesame');
});

test('a file that is no lake', async () => {
  const path = join(folder, 'text.duckdb');
  await writeFile(path, 'this is no database, and long enough to be looked at'.repeat(500));
  expect(await failure({ type: 'duckdb', path })).toMatchObject({ name: 'SluiceError', code: 'lake_failed' });
  expect((await failure({ type: 'ducklake', catalog: `sqlite:${path}`, data: folder })).name).toBe('SluiceError');
});

test('query: a lake that is not there is not made; an error in the SQL is the user’s', async () => {
  const missing: LakeConfig = { type: 'ducklake', catalog: `sqlite:${join(folder, 'none.sqlite')}`, data: folder };
  await expect(openForQuery(engine, missing)).rejects.toMatchObject({ code: 'lake_unreachable' });
  const config: LakeConfig = { type: 'duckdb', path: join(folder, 'q.duckdb') };
  const lake = openLake(engine, config);
  await lake.acquire();
  await lake.close();
  const query = await openForQuery(engine, config);
  await expect(query.query('SELECT * FROM nosuch')).rejects.toMatchObject({
    code: 'query_failed',
    message: expect.stringContaining('nosuch'),
  });
  await expect(query.query('DELETE FROM cdc')).rejects.toMatchObject({ code: 'query_refused' });
  const { columns, rows } = await query.query(
    `SELECT 9007199254740991 AS safe, 9007199254740993 AS wide, 2.50::DECIMAL(9,2) AS d, 1.5::DOUBLE AS f, NULL AS n, [9007199254740993, 1] AS l,
       TIMESTAMPTZ '2026-11-21 12:00:00.000001+02' AS ts, 'nan'::DOUBLE AS nan, count(*) AS c FROM cdc`,
  );
  expect(rows).toEqual([
    {
      safe: 9007199254740991,
      wide: '9007199254740993',
      d: '2.50',
      f: 1.5,
      n: null,
      l: ['9007199254740993', 1],
      ts: '2026-11-21 10:00:00.000001+00',
      nan: 'NaN',
      c: 0,
    },
  ]);
  expect(columns[2]).toEqual({ name: 'd', type: 'DECIMAL(9,2)' });
  await query.close();
});

test('values and passwords do not reach a message', async () => {
  const error = await engine.run(`SELECT 'secret value'::INTEGER`).catch((reason: unknown) => lakeError(reason, 'testing'));
  expect(`${(error as Error).message}${((error as Error).cause as Error).stack}`).not.toContain('secret value');
  expect(redact('at postgres://me:p@ss/w:rd@host:1/db failed')).toBe('at postgres://me:***@host:1/db failed');
  expect(redact("password='a b' host=x")).toBe('password=*** host=x');
  expect(secretsOf('postgres://me:a%20b@h/x')).toEqual(['a%20b', 'a b']);
});
