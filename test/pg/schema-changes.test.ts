import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Sql } from '../../src/source/index.ts';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';

/**
 * Whatever an application's migration does to a tracked table, the migration and the statements after it succeed, in sessions that have used
 * the table before (their plans are cached) as in others, and the replayed log equals the table; before audit.refresh and after it.
 */
describe.each(testVersions())('schema changes of a tracked table on PostgreSQL %i', (version) => {
  let lab: Lab;
  let writer: Sql;
  beforeAll(async () => {
    lab = await openLab(version);
    writer = lab.session();
  });
  afterAll(() => lab[Symbol.asyncDispose]());
  beforeEach(() => lab.reset());

  const columns = 'id int, k text, v text, n numeric, gone int';
  const layouts = {
    plain: `CREATE TABLE t (${columns}, PRIMARY KEY (id))`,
    'unique index': `CREATE TABLE t (${columns}); ALTER TABLE t ALTER id SET NOT NULL, ALTER k SET NOT NULL; CREATE UNIQUE INDEX t_key ON t (id, k)`,
    partitioned: `CREATE TABLE t (${columns}, PRIMARY KEY (id)) PARTITION BY HASH (id);
      CREATE TABLE t0 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE t1 PARTITION OF t FOR VALUES WITH (MODULUS 2, REMAINDER 1)`,
  };
  type Layout = keyof typeof layouts;

  /** Statements of every kind, some of which change keys; names are looked up, so that they fit whatever was done to the table. */
  const workload = async (session: Sql, offset: number) => {
    const found = await lab.sql`
      SELECT c.oid::regclass::text AS name, (SELECT array_agg(a.attname::text ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped) AS columns,
        (SELECT quote_ident(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = 1 AND NOT a.attisdropped) AS id,
        (SELECT quote_ident(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum = 3 AND NOT a.attisdropped) AS v
      FROM audit.tracked_table t JOIN pg_class c ON c.oid = t.relid`;
    for (const { name, id, v } of found) {
      if (id) {
        await session.unsafe(`INSERT INTO ${name} (${id}, k) SELECT g, 'k' || g FROM generate_series(${offset}, ${offset + 5}) g`);
        await session.unsafe(`UPDATE ${name} SET k = k || '!' WHERE ${id}::text = '${offset}'`);
        await session.unsafe(`UPDATE ${name} SET ${id} = '${offset + 20}' WHERE ${id}::text = '${offset + 1}'`);
        await session.unsafe(
          `WITH d AS (DELETE FROM ${name} WHERE ${id}::text = '${offset + 2}' RETURNING *) INSERT INTO ${name} SELECT * FROM d`,
        );
        await session.unsafe(`DELETE FROM ${name} WHERE ${id}::text = '${offset + 3}'`);
      } else {
        await session.unsafe(`INSERT INTO ${name} (k) VALUES ('no id ${offset}'); DELETE FROM ${name} WHERE k = 'no id ${offset}'`);
      }
      if (v) await session.unsafe(`UPDATE ${name} SET ${v} = DEFAULT; UPDATE ${name} SET ${v} = NULL WHERE k LIKE '%1'`);
    }
  };

  const changes: [string, string, Layout[]?][] = [
    ['rename the key column', 'ALTER TABLE t RENAME id TO "new ""id"" %s"'],
    ['rename another column', 'ALTER TABLE t RENAME v TO w'],
    [
      'exchange the names of key and another column',
      'ALTER TABLE t RENAME id TO x; ALTER TABLE t RENAME gone TO id; ALTER TABLE t RENAME x TO gone',
    ],
    ['rename the table', 'ALTER TABLE t RENAME TO new_rows'],
    ['move the table to another schema', 'CREATE SCHEMA other; ALTER TABLE t SET SCHEMA other'],
    ['another table under the old name', 'ALTER TABLE t RENAME TO t_old; CREATE TABLE t (id int)'],
    ['type of the key column', 'ALTER TABLE t ALTER id TYPE bigint', ['plain', 'unique index']],
    ['type of the key column, rewritten as text', "ALTER TABLE t ALTER id TYPE text USING id || ''", ['plain', 'unique index']],
    ['type of another column', 'ALTER TABLE t ALTER n TYPE text, ALTER v TYPE varchar(100)'],
    ['drop the key column', 'ALTER TABLE t DROP COLUMN id', ['plain', 'unique index']],
    ['drop another column', 'ALTER TABLE t DROP COLUMN gone'],
    ['drop the key', 'ALTER TABLE t DROP CONSTRAINT IF EXISTS t_pkey; DROP INDEX IF EXISTS t_key'],
    ['rename the key', 'ALTER INDEX IF EXISTS t_pkey RENAME TO other; ALTER INDEX IF EXISTS t_key RENAME TO other'],
    ['replace the primary key', 'ALTER TABLE t DROP CONSTRAINT t_pkey, ADD PRIMARY KEY (k)', ['plain']],
    ['a primary key on another column beside the unique index', 'ALTER TABLE t ADD PRIMARY KEY (k)', ['unique index']],
    ['a key that may be null', 'ALTER TABLE t ALTER k DROP NOT NULL', ['unique index']],
    ['add columns', 'ALTER TABLE t ADD COLUMN a int, ADD COLUMN "data" text DEFAULT \'d\''],
    ['add and drop columns, then take the name again', 'ALTER TABLE t DROP COLUMN v; ALTER TABLE t ADD COLUMN v int'],
    ['rewrite the table', 'CLUSTER t USING t_pkey; VACUUM FULL t; REINDEX TABLE t', ['plain']],
    [
      'attach and detach a partition',
      'ALTER TABLE t DETACH PARTITION t1; ALTER TABLE t ATTACH PARTITION t1 FOR VALUES WITH (MODULUS 2, REMAINDER 1)',
      ['partitioned'],
    ],
    ['row level security and replica identity', 'ALTER TABLE t ENABLE ROW LEVEL SECURITY; ALTER TABLE t REPLICA IDENTITY FULL'],
  ];
  const cases = changes.flatMap(([name, ddl, only]) =>
    (only ?? (Object.keys(layouts) as Layout[])).map((layout) => [name, layout, ddl] as const),
  );

  /** Compared by the columns there are: rows logged before the change don't have the new names. */
  const check = async (after: number) => {
    const [row] = await lab.sql`SELECT key FROM audit.status`;
    if (row?.key === null) return; // logged only
    await lab.check({ changes: (await lab.changes()).filter(({ seq }) => Number(seq) > after), partial: true });
  };
  const last = async () => Number((await lab.sql`SELECT last_value FROM audit.cdc_seq`)[0]?.last_value);
  /** All rows logged anew, with the names of now. */
  const touch = async () => {
    const [row] = await lab.sql`SELECT format('UPDATE %s SET k = k', relid) AS statement FROM audit.tracked_table`;
    await writer.unsafe(row?.statement);
  };

  test.each(cases)('%s: %s', async (_, layout, ddl) => {
    await lab.run(layouts[layout]);
    await lab.track('t');
    for (let i = 0; i < 7; i++) await workload(writer, 100 * i); // more than five times: generic plans
    await check(0);
    for (const statement of ddl.split('; ')) await lab.run(statement);
    const before = await last();
    await workload(writer, 1000);
    await workload(lab.session(), 2000);
    await check(before);
    await lab.sql`SELECT audit.refresh(table_id) FROM audit.tracked_table`;
    expect((await lab.sql`SELECT stale FROM audit.status`)[0]?.stale).toBe(false);
    await workload(writer, 3000);
    await check(before);
    await touch();
    const touched = (await lab.changes()).filter(({ seq }) => Number(seq) > before);
    const [row] = await lab.sql`SELECT key FROM audit.status`;
    if (row?.key !== null) await lab.check({ changes: touched });
    expect(await lab.sql`SELECT 1 FROM audit.fault`).toHaveLength(0);
  });

  test.each(Object.keys(layouts) as Layout[])('changes within one transaction of the writer: %s', async (layout) => {
    await lab.run(layouts[layout]);
    await lab.track('t');
    await workload(writer, 0);
    await writer.unsafe(`BEGIN; UPDATE t SET v = '1'; ALTER TABLE t RENAME id TO i; UPDATE t SET v = '2'; UPDATE t SET i = i + 1000; ALTER TABLE t ADD COLUMN z int DEFAULT 3;
      UPDATE t SET i = i + 1000; SAVEPOINT s; ALTER TABLE t RENAME i TO j; UPDATE t SET j = j + 1000; ROLLBACK TO s; UPDATE t SET i = i + 1000, v = '3'; COMMIT`);
    await lab.check({
      columnsDiffer: true,
      changes: (await lab.changes()).map((change) => ({ ...change, data: change.data?.replace('"id":', '"i":') ?? null })),
    });
  });

  test('under REPEATABLE READ, a change of the layout that the snapshot does not show', async () => {
    await lab.run(layouts.plain);
    await lab.track('t');
    await workload(writer, 0);
    const before = await last();
    await writer.unsafe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
    await lab.run('ALTER TABLE t RENAME id TO x; ALTER TABLE t RENAME gone TO id; ALTER TABLE t ADD COLUMN later int');
    await writer.unsafe("UPDATE t SET v = 'old snapshot'; UPDATE t SET x = x + 100; INSERT INTO t (x, k) VALUES (1, 'k')");
    await writer.unsafe('COMMIT');
    await writer.unsafe('UPDATE t SET x = x + 100; UPDATE t SET v = k');
    await lab.check({ changes: (await lab.changes()).filter(({ seq }) => Number(seq) > before) });
  });

  test('the check of the layout costs a statement nothing: it is evaluated once a session and once a change of the table', async () => {
    await lab.run(layouts.plain);
    await lab.track('t');
    const calls = async () =>
      Number((await lab.sql`SELECT coalesce(sum(calls), 0) AS n FROM pg_stat_user_functions WHERE funcname = 'layout'`)[0]?.n);
    const session = lab.session();
    await session.unsafe("SET track_functions = 'all'; INSERT INTO t (id, k) VALUES (1, 'k')");
    for (let i = 0; i < 20; i++) await session`UPDATE t SET v = 'v'`;
    await lab.run('ALTER TABLE t ADD COLUMN later int');
    for (let i = 0; i < 20; i++) await session`UPDATE t SET v = 'v'`;
    await session.end();
    await expect.poll(calls, { timeout: 5000 }).toBeGreaterThan(0);
    expect(await calls()).toBeLessThanOrEqual(3);
  });
});
