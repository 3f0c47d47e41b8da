import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { MIRRORS, type Mirror, openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';

/** `rename` of sluice.yaml: what tables are called in the lake, from the first batch on and after each other choice. */
describe.each(MIRRORS.filter((kind) => kind !== 'DuckLake on SQLite'))('names in the lake: %s', { timeout: 120_000 }, (kind) => {
  let mirror: Mirror;
  beforeAll(async () => {
    mirror = await openMirror(sharedPostgres(18), kind);
  });
  afterAll(() => mirror[Symbol.asyncDispose]());

  /** Tables, views and macros of the lake by schema, without its own. */
  const found = async () => {
    const rows = await mirror.query(
      `SELECT DISTINCT schema_name || '.' || name AS name FROM (
         SELECT database_name, schema_name, table_name AS name FROM duckdb_tables() UNION ALL
         SELECT database_name, schema_name, view_name FROM duckdb_views() WHERE NOT internal UNION ALL
         SELECT database_name, schema_name, function_name FROM duckdb_functions() WHERE function_type = 'table_macro' AND NOT internal)
       WHERE database_name = 'lake' AND schema_name NOT IN ('main', 'sluice') ORDER BY ALL`,
    );
    return rows.map(({ name }) => String(name));
  };
  const places = (schema: string, ...tables: string[]) =>
    tables
      .flatMap((table) => [
        `${schema}.${table}`,
        `${schema}_changes.${table}`,
        `${schema}_history.${table}`,
        `${schema}_history.${table}_at`,
      ])
      .sort();
  const noted = async () =>
    (await mirror.query("SELECT * FROM sluice.schema_change WHERE change = 'table_renamed' ORDER BY batch_id, detail")).map(
      (row) => `${row.detail} to ${row.table_schema}.${row.table_name}`,
    );

  test('a pattern decides from the first batch on, and the tables follow another one with all that they have', async () => {
    await mirror.run(
      'CREATE SCHEMA shard_1; CREATE SCHEMA shard_2; CREATE TABLE shard_1.orders (id int PRIMARY KEY, v text); CREATE TABLE shard_2.orders (id int PRIMARY KEY, v text)',
    );
    await mirror.restart('{ table: "shard_*.*", rename: shop.$2_$1 }');
    await mirror.track('shard_1.orders', 'shard_2.orders');
    await mirror.run("INSERT INTO shard_1.orders VALUES (1, 'one'), (2, 'two'); INSERT INTO shard_2.orders VALUES (1, 'other')");
    await mirror.drain();
    await mirror.expectState('shard_1.orders as shop.orders_1', 'shard_2.orders as shop.orders_2');
    expect(await found()).toEqual(places('shop', 'orders_1', 'orders_2'));
    expect(await mirror.query('SELECT DISTINCT table_schema, table_name FROM main.cdc ORDER BY ALL')).toEqual([
      { table_schema: 'shard_1', table_name: 'orders' },
      { table_schema: 'shard_2', table_name: 'orders' },
    ]);
    expect(await mirror.query('SELECT table_schema, table_name, "rows" FROM sluice.watermark ORDER BY ALL')).toEqual([
      { table_schema: 'shop', table_name: 'orders_1', rows: 2 },
      { table_schema: 'shop', table_name: 'orders_2', rows: 1 },
    ]);
    const [cut] = await mirror.query("SELECT strftime(max(cut_ts), '%Y-%m-%d %H:%M:%S.%f+00') AS at FROM sluice.batch");
    const at = String(cut?.at);
    await mirror.run("UPDATE shard_1.orders SET v = 'changed' WHERE id = 1");
    await mirror.drain();
    const log = await mirror.query('FROM shop_changes.orders_1 ORDER BY ALL');
    const history = await mirror.query('FROM shop_history.orders_1 ORDER BY ALL');

    // Another pattern while nothing waits.
    await mirror.restart('{ table: "shard_*.*", rename: tenant_$1.$2 }');
    await mirror.drain();
    await mirror.expectState('shard_1.orders as tenant_1.orders', 'shard_2.orders as tenant_2.orders');
    expect(await found()).toEqual([...places('tenant_1', 'orders'), ...places('tenant_2', 'orders')].sort());
    expect(await mirror.query('FROM tenant_1_changes.orders ORDER BY ALL')).toEqual(log);
    expect(await mirror.query('FROM tenant_1_history.orders ORDER BY ALL')).toEqual(history);
    expect(await noted()).toEqual(['from shop.orders_1 to tenant_1.orders', 'from shop.orders_2 to tenant_2.orders']);
    expect(await mirror.query('SELECT id, v FROM tenant_1.orders ORDER BY id', at)).toEqual([
      { id: 1, v: 'one' },
      { id: 2, v: 'two' },
    ]);
    const batches = () => mirror.query('SELECT max(batch_id) AS n FROM sluice.batch');
    const before = await batches();
    await mirror.drain();
    expect(await batches(), 'followed once').toEqual(before);

    // Another while changes of one of them wait, and that table is renamed in the source.
    await mirror.run("INSERT INTO shard_1.orders VALUES (3, 'waits'); ALTER TABLE shard_1.orders RENAME TO sales");
    await mirror.restart('{ table: "shard_*.*", rename: shop.$2_of_$1 }');
    await mirror.drain();
    await mirror.expectState('shard_1.sales as shop.sales_of_1', 'shard_2.orders as shop.orders_of_2');
    expect(await found()).toEqual(places('shop', 'orders_of_2', 'sales_of_1'));
    expect((await noted()).slice(2)).toEqual(['from tenant_1.orders to shop.sales_of_1', 'from tenant_2.orders to shop.orders_of_2']);

    const typed = await mirror.query('FROM shop_changes.sales_of_1 ORDER BY ALL');
    await mirror.damage('DELETE FROM lake.shop.sales_of_1', 'DELETE FROM lake.shop_changes.sales_of_1');
    await mirror.rebuild('sales');
    await mirror.expectState('shard_1.sales as shop.sales_of_1');
    expect(await mirror.query('FROM shop_changes.sales_of_1 ORDER BY ALL')).toEqual(typed);

    // A source rename that the rename of sluice.yaml makes the same of.
    await mirror.restart('{ table: "*_2.*", rename: shop.last }');
    await mirror.drain();
    await mirror.run('ALTER TABLE shard_2.orders RENAME TO purchases');
    await mirror.drain();
    await mirror.expectState('shard_1.sales', 'shard_2.purchases as shop.last');
    expect((await noted()).slice(4)).toEqual([
      'from shop.orders_of_2 to shop.last',
      'from shop.sales_of_1 to shard_1.sales',
      'from shard_2.orders to shop.last',
    ]);
    expect(await found()).toEqual([...places('shard_1', 'sales'), ...places('shop', 'last')]);
  });

  test('of tables that would get one name none gets the rows of another, and a chain of names moves in its order', async () => {
    await mirror.run(
      'CREATE SCHEMA one; CREATE SCHEMA two; CREATE TABLE one.item (id int PRIMARY KEY); CREATE TABLE two.item (id int PRIMARY KEY); CREATE TABLE two."Item" (id int PRIMARY KEY)',
    );
    await mirror.restart('');
    await mirror.track('one.item', 'two.item', 'two.Item');
    await mirror.run('INSERT INTO one.item VALUES (1); INSERT INTO two.item VALUES (2); INSERT INTO two."Item" VALUES (3)');
    await mirror.drain();
    await mirror.restart('{ table: one.*, rename: two.$1 }, { table: two.item, rename: three.item }');
    await mirror.drain();
    await mirror.expectState('one.item as two.item', 'two.item as three.item', 'two.Item as two.Item_2');

    await mirror.restart('{ table: "*.?tem", rename: one.item }');
    await mirror.drain();
    await mirror.expectState('one.item as one.item', 'two.item as one.item_2', 'two.Item as one.item_3');
    await mirror.run('UPDATE one.item SET id = 10; UPDATE two.item SET id = 20; UPDATE two."Item" SET id = 30');
    await mirror.drain();
    await mirror.expectState('one.item as one.item', 'two.item as one.item_2', 'two.Item as one.item_3');

    // Two exchange their names: one of them finds its name taken.
    await mirror.restart('{ table: one.item, rename: a.item }, { table: two.item, rename: b.item }');
    await mirror.drain();
    await mirror.restart('{ table: one.item, rename: b.item }, { table: two.item, rename: a.item }');
    await mirror.drain();
    await mirror.expectState('one.item as b.item', 'two.item as a.item_2');
  });

  test('hostile names, and schemas that the lake keeps for itself', async () => {
    await mirror.run('CREATE SCHEMA "o.d ""d"; CREATE TABLE "o.d ""d"."$1" (id int PRIMARY KEY)');
    await mirror.restart('');
    await mirror.sql`SELECT audit.track('"o.d ""d"."$1"'::regclass)`;
    await mirror.run('INSERT INTO "o.d ""d"."$1" VALUES (1)');
    const calls = async (table: string, rename: string, place: string) => {
      await mirror.restart(`{ table: '${table}', rename: '${rename}' }`);
      await mirror.drain();
      expect(await mirror.query(`FROM ${place}`)).toEqual([{ id: 1 }]);
    };
    await calls('*.*', '$1_x.$2$2', '"o.d ""d_x"."$1$1"');
    await calls('o*.*', '"; DROP TABLE x; --""".$2$2', '"; DROP TABLE x; --"""."$1$1"');
    await calls('"o.d ""d"."$1"', 'shop."$1"', 'shop."$1"');
    await calls('"o.d ""d".$1*', '$1.t', '"o.d ""d"."$1"');
    for (const schema of ['main', 'memory', 'information_schema', 'x_history']) {
      await mirror.run(`ALTER TABLE "o.d ""d"."$1" RENAME TO "${schema}"`);
      await calls('*.*', '$2.t', `"_sluice_${schema}".t`);
      await mirror.run(`ALTER TABLE "o.d ""d"."${schema}" RENAME TO "$1"`);
    }
  });
});
