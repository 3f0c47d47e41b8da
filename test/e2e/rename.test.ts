import { expect, test } from 'vitest';
import { deploy, logLines } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';
import { until } from '../support/until.ts';

interface Status {
  readonly tables: readonly { schema: string; name: string; lake: { schema: string; name: string; rows: number } | null }[];
}

/** `rename` from sluice.yaml to the lake, by the command line alone. */
test('tables have the names of sluice.yaml in the lake, and a daemon that is started again follows other ones', async () => {
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckLake on PostgreSQL' });
  const { sql } = lake;
  const tables = (rename: string) => lake.configure({ more: `tables: [public.*, { table: "app_*.*", rename: "${rename}" }]\n` });
  const names = async () => {
    const status = await lake.ok<Status>('status');
    return status.tables.map((table) => `${table.schema}.${table.name} as ${table.lake?.schema}.${table.lake?.name}`).sort();
  };
  const query = (text: string) => lake.ok<Record<string, unknown>[]>('query', text);
  await sql.unsafe(`CREATE SCHEMA app_a; CREATE SCHEMA app_b; CREATE TABLE plain (id int PRIMARY KEY);
    CREATE TABLE app_a.orders (id int PRIMARY KEY, v text); CREATE TABLE app_b.orders (id int PRIMARY KEY, v text)`);
  await lake.ok('install');

  await tables('app.$2');
  const refused = await lake.run('track', '--json');
  expect([refused.code, JSON.parse(refused.log)]).toMatchObject([
    1,
    { error: { code: 'rename_collision', message: expect.stringMatching(/app_a\.orders and app_b\.orders .* app\.orders/) } },
  ]);
  expect(await sql`SELECT 1 FROM audit.tracked_table`).toHaveLength(0);

  await tables('$1.$2');
  const { tracked } = await lake.ok<{ tracked: { name: string; rules: string[] }[] }>('track');
  expect(tracked.map(({ name, rules }) => [name, ...rules]).sort()).toEqual([
    ['orders', 'renamed: a.orders'],
    ['orders', 'renamed: b.orders'],
    ['plain'],
  ]);
  await sql.unsafe("INSERT INTO app_a.orders VALUES (1, 'x'); INSERT INTO app_b.orders VALUES (1, 'y'); INSERT INTO plain VALUES (1)");
  await lake.ok('run', '--once');
  expect(await names()).toEqual(['app_a.orders as a.orders', 'app_b.orders as b.orders', 'public.plain as public.plain']);
  expect((await lake.run('status')).stdout).toContain('app_a.orders as a.orders');
  expect(await query('FROM a.orders UNION ALL FROM b.orders ORDER BY v')).toEqual([
    { id: 1, v: 'x' },
    { id: 1, v: 'y' },
  ]);
  const [cut] = await query("SELECT strftime(max(cut_ts), '%Y-%m-%d %H:%M:%S.%f+00') AS at FROM sluice.batch");

  // Another rename: doctor says that the daemon does not know it, and a daemon that starts, with nothing to drain, follows at once.
  await tables('shop.$2_$1');
  const { findings } = await lake.ok<{ findings: { check: string; level: string; message: string }[] }>('doctor');
  expect(findings.filter(({ check, level }) => check === 'app_a.orders' && level !== 'ok')).toMatchObject([
    { level: 'warning', message: expect.stringMatching(/shop\.orders_a .* a\.orders so far/) },
  ]);
  const daemon = lake.start(['run']);
  await until('the first look of the daemon', () => logLines(daemon).some(({ msg }) => msg === 'schema changes followed'));
  expect(await names()).toEqual(['app_a.orders as shop.orders_a', 'app_b.orders as shop.orders_b', 'public.plain as public.plain']);
  await sql.unsafe("UPDATE app_a.orders SET v = 'z'; ALTER TABLE app_b.orders RENAME TO sales; INSERT INTO app_b.sales VALUES (2, 'new')");
  await until('a rename in the source', async () => (await names()).includes('app_b.sales as shop.sales_b'));
  await until('an update', async () => (await query('SELECT v FROM shop.orders_a'))[0]?.v === 'z');
  expect(await query('SELECT id, v FROM shop.sales_b ORDER BY id')).toEqual([
    { id: 1, v: 'y' },
    { id: 2, v: 'new' },
  ]);
  daemon.process.kill('SIGTERM');
  expect((await daemon.ended).code).toBe(0);
  expect(
    await query("SELECT table_schema, table_name, detail FROM sluice.schema_change WHERE change = 'table_renamed' ORDER BY ALL"),
  ).toEqual([
    { table_schema: 'shop', table_name: 'orders_a', detail: 'from a.orders' },
    { table_schema: 'shop', table_name: 'orders_b', detail: 'from b.orders' },
    { table_schema: 'shop', table_name: 'sales_b', detail: 'from shop.orders_b' },
  ]);
  expect(await lake.ok('query', '--at', String(cut?.at), 'SELECT id, v FROM shop.orders_a')).toEqual([{ id: 1, v: 'x' }]);
  expect(await query('SELECT v, is_current FROM shop_history.orders_a ORDER BY valid_from')).toEqual([
    { v: 'x', is_current: false },
    { v: 'z', is_current: true },
  ]);
  expect(await query("SELECT DISTINCT table_schema || '.' || table_name AS name FROM main.cdc ORDER BY 1")).toEqual(
    ['app_a.orders', 'app_b.orders', 'app_b.sales', 'public.plain'].map((name) => ({ name })),
  );
  expect(await lake.ok('rebuild', 'app_b.sales')).toMatchObject({ rebuilt: [{ schema: 'shop', name: 'sales_b', rows: 2 }] });
  expect((await lake.run('doctor', '--json')).stdout).not.toContain('so far');
});
