import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { after, before, test } from 'node:test';
import { promisify } from 'node:util';
import { PostgreSqlContainer, type StartedPostgreSqlContainer } from '@testcontainers/postgresql';
import postgres from 'postgres';

let container: StartedPostgreSqlContainer;
let sql: postgres.Sql;
let folder: string;

/** Run one sluice command; its options come from the environment, as they would from sluice.yaml. */
async function sluice(...args: string[]): Promise<unknown> {
  const env = {
    ...process.env,
    SLUICE_SOURCE_URL: container.getConnectionUri(),
    SLUICE_LAKE_TYPE: 'duckdb',
    SLUICE_LAKE_PATH: join(folder, 'lake.duckdb'),
    SLUICE_LOG_LEVEL: 'error',
  };
  const { stdout } = await promisify(execFile)('sluice', [...args, '--json'], { env });
  return stdout.trim() === '' ? undefined : JSON.parse(stdout);
}

before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'orders-'));
  container = await new PostgreSqlContainer('postgres:17').start();
  sql = postgres(container.getConnectionUri(), { onnotice: () => {} });
  await sql`CREATE TABLE orders (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, customer text NOT NULL, amount numeric(12, 2) NOT NULL)`;
  await sluice('install');
  await sluice('track', 'public.orders');
});

after(async () => {
  await sql?.end();
  await container?.stop();
  await rm(folder, { recursive: true, force: true });
});

test('committed changes of an order reach the lake, in order', async () => {
  await sql`INSERT INTO orders (customer, amount) VALUES ('Ada', 12.50)`;
  await sql`UPDATE orders SET amount = 13.00 WHERE customer = 'Ada'`;
  await sql
    .begin(async (transaction) => {
      await transaction`INSERT INTO orders (customer, amount) VALUES ('Bob', 99.00)`;
      throw new Error('changed my mind');
    })
    .catch(() => {});

  await sluice('run', '--once');

  const changes = await sluice(
    'query',
    `SELECT cdc_op AS op, data->>'customer' AS customer, (data->>'amount')::DECIMAL(12, 2) AS amount FROM cdc WHERE table_name = 'orders' ORDER BY cdc_seq`,
  );
  assert.deepEqual(changes, [
    { op: 'I', customer: 'Ada', amount: '12.50' },
    { op: 'U', customer: 'Ada', amount: '13.00' },
  ]);
});
