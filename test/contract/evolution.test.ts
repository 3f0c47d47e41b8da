import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { install, uninstall } from '../../src/source/index.ts';
import { MIRRORS, type Mirror, openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';
import { EVOLUTIONS } from './evolutions.ts';

// Catalogs differ in nothing that matters here, but two kinds of lake do, and a catalog over a connection.
describe.each(MIRRORS.filter((kind) => kind !== 'DuckLake on SQLite'))('schema changes: %s', (kind) => {
  let mirror: Mirror;
  let schema = '';
  let count = 0;
  beforeAll(async () => {
    mirror = await openMirror(sharedPostgres(18), kind);
  });
  afterAll(() => mirror[Symbol.asyncDispose]());
  /** The database is one for all tests here; each has a schema of its own. */
  beforeEach(async () => {
    count += 1;
    schema = `s${count}`;
    await mirror.run(`CREATE SCHEMA ${schema}`);
  });
  const run = (text: string) => mirror.run(`SET search_path = ${schema}; ${text}; RESET search_path`);

  test.each(EVOLUTIONS)('$what', async ({ ddl, changes, after }) => {
    await run('CREATE TABLE item (id int PRIMARY KEY, v text NOT NULL, w text, n int)');
    await mirror.track(`${schema}.item`);
    await run("INSERT INTO item SELECT g, 'v' || g, 'w' || g, g FROM generate_series(1, 30) g");
    await mirror.drain();
    // Changes that wait under the old names, the change of the schema, changes under the new ones: all of it in one batch.
    await run("UPDATE item SET v = 'before', w = 'waiting' WHERE id = 1; DELETE FROM item WHERE id = 9");
    await run(ddl);
    const [table] = await mirror.sql<{ name: string; relid: string }[]>`
      SELECT relname AS name, oid::text AS relid FROM pg_class WHERE relname IN ('item', 'thing') AND relkind = 'r' AND relnamespace = ${schema}::regnamespace`;
    const name = table?.name ?? '';
    await run(`${after ?? ''}; DELETE FROM ${name} WHERE id = 8; UPDATE ${name} SET id = id WHERE id < 6`);
    await mirror.drain();
    await mirror.expectState(`${schema}.${name}`);
    const followed = await mirror.query(
      `SELECT change FROM sluice.schema_change WHERE change NOT IN ('table_added', 'needs_load') AND table_schema = '${schema}' ORDER BY ALL`,
    );
    expect(followed.map((row) => row.change)).toEqual([...changes].sort());
    expect(
      await mirror.sql`SELECT audit.is_stale(table_id) AS stale FROM audit.tracked_table WHERE relid = ${table?.relid ?? ''}::oid`,
    ).toEqual([{ stale: false }]);
    await run(`DELETE FROM ${name} WHERE id = 3; UPDATE ${name} SET id = 300 WHERE id = 4`);
    await mirror.drain();
    await mirror.expectState(`${schema}.${name}`);
  });

  test.each([
    ['renamed', 'ALTER TABLE item RENAME COLUMN v TO value'],
    [
      'exchanged',
      'ALTER TABLE item RENAME COLUMN v TO tmp; ALTER TABLE item RENAME COLUMN w TO v; ALTER TABLE item RENAME COLUMN tmp TO w',
    ],
    ['taken', 'ALTER TABLE item DROP COLUMN v; ALTER TABLE item RENAME COLUMN w TO v'],
  ])('changes that wait under the old names while the lake follows with the batch before them: %s', async (_, ddl) => {
    await run('CREATE TABLE item (id int PRIMARY KEY, v text, w text)');
    await mirror.track(`${schema}.item`);
    await run("INSERT INTO item SELECT g, 'v' || g, 'w' || g FROM generate_series(1, 9) g");
    await mirror.drain();
    await run("UPDATE item SET v = 'first' WHERE id = 1");
    const { source } = mirror.composition.ports;
    await source.lead();
    expect(await source.swap()).toBeDefined();
    await run("UPDATE item SET v = 'second', w = 'other' WHERE id = 2");
    await run(ddl);
    await mirror.drain();
    await mirror.expectState(`${schema}.item`);
    expect(await mirror.query(`SELECT * FROM sluice.loss WHERE table_schema = '${schema}'`)).toEqual([]);
  });

  test('a table moves to another schema', async () => {
    await run('CREATE TABLE item (id int PRIMARY KEY, v text)');
    await mirror.track(`${schema}.item`);
    await run("INSERT INTO item SELECT g, 'v' FROM generate_series(1, 20) g");
    await mirror.drain();
    await mirror.run(
      `UPDATE ${schema}.item SET v = 'waiting' WHERE id = 1; CREATE SCHEMA ${schema}_new; ALTER TABLE ${schema}.item SET SCHEMA ${schema}_new`,
    );
    await mirror.drain();
    await mirror.expectState(`${schema}_new.item`);
    expect(
      await mirror.query(
        `SELECT table_name FROM duckdb_tables() WHERE schema_name LIKE '${schema}' || '%' AND database_name = 'lake' ORDER BY schema_name`,
      ),
    ).toEqual([{ table_name: 'item' }, { table_name: 'item' }]);
  });

  test('a table is dropped, and made anew', async () => {
    await run('CREATE TABLE item (id int PRIMARY KEY, v text); CREATE TABLE other (id int PRIMARY KEY)');
    await mirror.track(`${schema}.item`, `${schema}.other`);
    await run("INSERT INTO item SELECT g, 'v' FROM generate_series(1, 20) g; INSERT INTO other VALUES (1)");
    await mirror.drain();
    await run('UPDATE item SET v = $$last$$ WHERE id = 1; DROP TABLE item; INSERT INTO other VALUES (2)');
    await mirror.drain();
    expect(await mirror.query(`SELECT table_name FROM duckdb_tables() WHERE schema_name = '${schema}' AND database_name = 'lake'`)).toEqual(
      [{ table_name: 'other' }],
    );
    expect(await mirror.query(`SELECT count(*) AS n, count(*) FILTER (is_current) AS current FROM ${schema}_history.item`)).toEqual([
      { n: 20, current: 0 },
    ]);
    await run('CREATE TABLE item (v int, id int PRIMARY KEY, w text)');
    await mirror.track(`${schema}.item`);
    await run('INSERT INTO item SELECT 1, g, $$w$$ FROM generate_series(10, 12) g');
    await mirror.drain();
    await mirror.expectState(`${schema}.item`, `${schema}.other`);
  });

  test('a table is replaced by another of the same name within one batch', async () => {
    await run('CREATE TABLE item (id int PRIMARY KEY, v text)');
    await mirror.track(`${schema}.item`);
    await run("INSERT INTO item SELECT g, 'v' FROM generate_series(1, 20) g");
    await mirror.drain();
    await run('UPDATE item SET v = $$last$$; DROP TABLE item; CREATE TABLE item (id int PRIMARY KEY, v text)');
    await mirror.track(`${schema}.item`);
    await run("INSERT INTO item SELECT g, 'new' FROM generate_series(15, 16) g");
    await mirror.drain();
    await mirror.expectState(`${schema}.item`);
  });

  test('a partition is truncated', async () => {
    await run(`CREATE TABLE part (id int, region text, at date, PRIMARY KEY (id, region, at)) PARTITION BY LIST (region);
      CREATE TABLE part_eu PARTITION OF part FOR VALUES IN ('eu', 'uk') PARTITION BY RANGE (at);
      CREATE TABLE part_eu_old PARTITION OF part_eu FOR VALUES FROM (MINVALUE) TO ('2026-01-01');
      CREATE TABLE part_eu_new PARTITION OF part_eu DEFAULT; CREATE TABLE part_us PARTITION OF part DEFAULT`);
    await mirror.track(`${schema}.part`);
    await run(`INSERT INTO part SELECT g, (ARRAY['eu', 'uk', 'us'])[1 + g % 3], date '2025-12-20' + g FROM generate_series(1, 30) g`);
    await mirror.drain();
    await mirror.expectState(`${schema}.part`);
    await run(`INSERT INTO part VALUES (99, 'eu', '2025-01-01'); TRUNCATE part_eu_old; INSERT INTO part VALUES (100, 'uk', '2025-01-01')`);
    await mirror.drain();
    await mirror.expectState(`${schema}.part`);
    await run('TRUNCATE part_us');
    await mirror.drain();
    await mirror.expectState(`${schema}.part`);
    await run(`TRUNCATE part; INSERT INTO part VALUES (101, 'eu', '2025-01-01'), (102, 'us', '2025-01-01'); TRUNCATE part_us`);
    await mirror.drain();
    await mirror.expectState(`${schema}.part`);
  });

  test('a partition by hash is truncated: said, not guessed', async () => {
    await run(`CREATE TABLE part (id int PRIMARY KEY, v text) PARTITION BY HASH (id);
      CREATE TABLE part_0 PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE part_1 PARTITION OF part FOR VALUES WITH (MODULUS 2, REMAINDER 1)`);
    await mirror.track(`${schema}.part`);
    await run("INSERT INTO part SELECT g, 'v' FROM generate_series(1, 20) g; TRUNCATE part_0; UPDATE part SET v = 'w'");
    await mirror.drain();
    expect(
      await mirror.query(
        `SELECT change, detail LIKE '%part_0%' AS named FROM sluice.schema_change WHERE table_schema = '${schema}' AND change = 'needs_load'`,
      ),
    ).toEqual([{ change: 'needs_load', named: true }]);
  });

  test('names that DuckDB takes for others', async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run('CREATE SCHEMA memory; CREATE SCHEMA lake; CREATE TABLE item (id int PRIMARY KEY)');
    await mirror.run('CREATE TABLE memory.t (id int PRIMARY KEY); CREATE TABLE lake.t (id int PRIMARY KEY)');
    await mirror.track('item', 'memory.t', 'lake.t');
    await mirror.run('INSERT INTO item VALUES (1); INSERT INTO memory.t VALUES (2); INSERT INTO lake.t VALUES (3)');
    await mirror.drain();
    await mirror.run('ALTER TABLE item RENAME TO "Item"; INSERT INTO "Item" VALUES (4)');
    await mirror.drain();
    await mirror.expectState('Item');
    expect(await mirror.query('FROM _sluice_memory.t UNION ALL FROM _sluice_lake.t ORDER BY 1')).toEqual([{ id: 2 }, { id: 3 }]);
    expect(await mirror.query('SELECT id FROM _sluice_memory_history.t WHERE is_current')).toEqual([{ id: 2 }]);
  });

  test('schema audit is made anew, and gives a table the id that another has had', async () => {
    await using own = await openMirror(sharedPostgres(18), kind);
    await own.run('CREATE TABLE item (id int PRIMARY KEY, v text); CREATE TABLE other (id int PRIMARY KEY)');
    await own.track('item', 'other');
    await own.run("INSERT INTO item VALUES (1, 'a'); INSERT INTO other VALUES (1)");
    await own.drain();
    await uninstall(own.sql);
    await install(own.url);
    await own.track('other');
    await own.run('INSERT INTO other VALUES (2)');
    await own.drain();
    await own.track('item');
    await own.run("INSERT INTO item VALUES (2, 'b')");
    await own.drain();
    await own.expectState('item', 'other');
  });
});
