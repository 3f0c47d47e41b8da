import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { ColumnType } from '../../src/cli/column-types.ts';
import { openEngine, openLake } from '../../src/lake/index.ts';
import { silent } from '../lake/support.ts';
import { deploy } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';

interface Status {
  readonly tables: {
    name: string;
    stale: boolean;
    lake: { rows: number | null; lastBatch: number | null; lag: number; lastChange: string } | null;
  }[];
  readonly losses: unknown;
  readonly schemaChanges: { table_name: string; change: string; column_name: string | null }[];
}

/** What status, doctor and track say of types, rules, losses and schema changes. */
test('status, status --types, doctor and track tell how each table is held', { timeout: 120_000 }, async () => {
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
  const { sql } = lake;
  const tables = (orders: string) => lake.configure({ more: `tables: ["public.*", { table: public.orders, ${orders} }]\n` });
  const findings = async (name: string) => {
    const { stdout } = await lake.run('doctor', '--json');
    const all = JSON.parse(stdout).findings as { check: string; level: string; message: string }[];
    return all.filter(({ check }) => check === `public.${name}`).map(({ level, message }) => `${level}: ${message}`);
  };
  await sql.unsafe(`CREATE DOMAIN money2 AS numeric(12,2);
    CREATE TABLE orders (id int PRIMARY KEY, amount numeric, total money2, email text, secret text, row_id int); CREATE TABLE note (t text)`);
  await lake.ok('install');
  await tables('exclude: [secret], mask: { email: hash }, types: { amount: "decimal(30,8)" }, evolve: freeze');
  const { tracked } = await lake.ok<{ tracked: { name: string; notice: string | null; rules: string[] }[] }>('track');
  expect(tracked.map(({ name, notice, rules }) => [name, notice !== null, rules])).toEqual([
    ['note', true, []],
    ['orders', false, ['excluded: secret', 'masked: email (hash)', 'types: amount decimal(30,8)', 'evolve: freeze']],
  ]);

  // Nothing has made a lake yet.
  const [table] = await lake.ok<{ name: string; key: string[]; evolve: string; columns: ColumnType[] }[]>(
    'status',
    '--types',
    'public.orders',
  );
  expect(table).toMatchObject({ name: 'orders', key: ['id'], evolve: 'freeze' });
  const shown = Object.fromEntries((table?.columns ?? []).map(({ column, ...rest }) => [column, rest]));
  expect(shown).toMatchObject({
    id: { sourceType: 'integer', lakeColumn: 'id', lakeType: 'INTEGER', held: null, lost: null, problem: null },
    amount: { lakeType: 'DECIMAL(30,8)', lost: expect.stringContaining('NaN, Infinity') },
    total: { sourceType: 'public.money2, numeric(12,2)', lakeType: 'DECIMAL(12,2)', lost: 'NaN' },
    email: { sourceType: 'text', lakeType: 'VARCHAR', held: 'masked: hash' },
    secret: { lakeColumn: null, lakeType: null, held: 'excluded: never captured' },
    row_id: { lakeColumn: '_sluice_row_id' },
  });
  const people = await lake.run('status', '--types');
  expect(people.stdout).toMatch(/^public\.note, key none: log only\n/);
  expect(people.stdout).toMatch(
    /public\.orders, key id, evolve: freeze\n[\s\S]*\namount +numeric +DECIMAL\(30,8\) +without the trailing zeros/,
  );
  expect(await lake.run('status', '--types', 'public.nothing')).toMatchObject({ code: 1 });

  await sql.unsafe("INSERT INTO orders VALUES (1, 'NaN', 1, 'a', 'b', 1), (2, 2.5, 1, 'a', 'b', 1); INSERT INTO note VALUES ('x')");
  await lake.ok('run', '--once');
  await sql.unsafe('ALTER TABLE note ADD COLUMN more int; INSERT INTO note VALUES ($$y$$, 1)');
  await lake.ok('run', '--once');
  const status = await lake.ok<Status>('status');
  expect(status.losses).toEqual([{ schema: 'public', table: 'orders', column: 'amount', values: 1 }]);
  expect(status.schemaChanges[0]).toMatchObject({ table_name: 'note', change: 'column_added', column_name: 'more' });
  expect(status.tables.map(({ name, lake: held }) => [name, held?.rows, held?.lastBatch])).toEqual([
    ['note', null, 4],
    ['orders', 2, 3],
  ]);
  expect(status.tables[1]?.lake).toMatchObject({ lag: expect.any(Number), lastChange: expect.stringMatching(/^20.*\+00$/) });
  const report = (await lake.run('status')).stdout;
  expect(report).toMatch(/losses +1 value/);
  expect(report).toMatch(/public\.orders +id +2 +20.*amount 1 +captured/);
  expect(report).toMatch(/public\.note +column_added +more/);

  expect(await findings('orders')).toEqual(['ok: captured']);
  await sql.unsafe('ALTER TABLE orders ADD COLUMN extra int, DROP COLUMN total; ALTER TABLE orders RENAME COLUMN amount TO price');
  const changed = await findings('orders');
  expect(changed[0]).toMatch(/^warning: its columns or its key changed/);
  expect(changed).toContain('warning: types names column amount, which it has not');
  expect(changed).toContainEqual(
    expect.stringMatching(/^warning: is frozen, and the lake does not follow: .*column_dropped total.*column_added extra/),
  );
  await tables('types: { price: uuid }, evolve: stop');
  expect((await findings('orders')).slice(1)).toEqual([
    expect.stringMatching(/^error: Column price is numeric and can't become "uuid"/),
    'warning: sluice.yaml has changed what it is tracked with: exclude or mask, types, evolve',
    expect.stringMatching(/^warning: is frozen/),
  ]);
  await tables('evolve: stop');
  await lake.ok('track');
  expect(await findings('orders')).toContainEqual(
    expect.stringMatching(/^error: is set to evolve: stop and has changed, which ends the daemon/),
  );
  await sql.unsafe('INSERT INTO orders (id) VALUES (3)');
  const stopped = await lake.run('run', '--once', '--json');
  expect(stopped.code).toBe(1);
  expect(stopped.log).toContain('"schema_changed"');
});

test('status shows gaps, open and repaired, with what their repair found', async () => {
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
  await lake.sql`CREATE TABLE item (id int PRIMARY KEY)`;
  await lake.ok('install');
  await lake.ok('track', 'public.*');
  await lake.sql`INSERT INTO item VALUES (1)`;
  await lake.ok('run', '--once');
  expect((await lake.run('status')).stdout).toMatch(/gaps +none/);

  const engine = await openEngine({ log: silent });
  const held = openLake(engine, { type: 'duckdb', path: join(lake.folder, 'lake', 'lake.duckdb') });
  await held.acquire();
  const span = { from: '2026-03-01T10:00:00Z', to: '2026-03-01T10:01:00Z' };
  await held.recordGap({ ...span, epoch: 'a', cause: 'source_crash' });
  await held.closeGap((await held.gaps())[0]?.gapId ?? '', { missing: 3, different: 2, extra: 1 });
  await held.recordGap({ ...span, epoch: 'b', cause: 'paused', tables: [1, 99] });
  await held.close();
  await engine.close();

  const { gaps } = await lake.ok<{ gaps: Record<string, unknown>[] }>('status');
  expect(gaps).toEqual([
    expect.objectContaining({ cause: 'source_crash', tables: null, missing: 3, different: 2, extra: 1, closed_ts: expect.any(String) }),
    expect.objectContaining({ cause: 'paused', tables: ['public.item', 'table 99'], missing: null, closed_ts: null }),
  ]);
  const report = (await lake.run('status')).stdout;
  expect(report).toMatch(/gaps +1 open, 1 repaired/);
  expect(report).toMatch(
    /paused +2026-03-01 10:00:00\+00 +2026-03-01 10:01:00\+00 +public\.item, table 99 +open\n.*source_crash .* all +3 +2 +1 +20/,
  );
});
