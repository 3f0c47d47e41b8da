import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { install } from '../../src/source/index.ts';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';

/** audit.track, untrack, refusal, key_of and status. */
describe.each(testVersions())('registry on PostgreSQL %i', (version) => {
  let lab: Lab;
  const owner = `sluice_tracker_${version}_${Math.random().toString(36).slice(2, 8)}`;
  beforeAll(async () => {
    lab = await openLab(version);
    await lab.run(`CREATE ROLE ${owner} LOGIN PASSWORD 'app'`);
  });
  afterAll(async () => {
    await lab.reset();
    await lab.run(`DROP OWNED BY ${owner}; DROP ROLE ${owner}`);
    await lab[Symbol.asyncDispose]();
  });
  beforeEach(() => lab.reset());

  const triggers = async (table = 't') =>
    (await lab.sql`SELECT tgname FROM pg_trigger WHERE tgrelid = ${table}::regclass AND tgname LIKE 'sluice%' ORDER BY 1`).map(
      (row) => row.tgname,
    );
  const functions = async () =>
    (await lab.sql`SELECT proname FROM pg_proc WHERE pronamespace = 'audit'::regnamespace AND proname ~ '^capture_\\d' ORDER BY 1`).map(
      (row) => row.proname,
    );
  const state = async () =>
    (await lab.sql`SELECT table_name, problem, key, missing, disabled, drift FROM audit.status ORDER BY 1`).map((row) => ({ ...row }));

  test('track twice is track once; untrack leaves nothing; tracked again it is a new entry', async () => {
    await lab.run('CREATE TABLE t (id int PRIMARY KEY)');
    const [first] = await lab.track('t');
    const names = await triggers();
    expect(names).toHaveLength(4);
    const [second] = await lab.track('t');
    expect([second?.id, await triggers()]).toEqual([first?.id, names]);
    expect((await lab.sql`SELECT audit.untrack('t') AS was`)[0]?.was).toBe(true);
    expect((await lab.sql`SELECT audit.untrack('t') AS was`)[0]?.was).toBe(false);
    expect(await triggers()).toEqual([]);
    expect(await functions()).toEqual([]);
    const [third] = await lab.track('t');
    expect(third?.id).toBeGreaterThan(first?.id ?? 0);
    await lab.run('INSERT INTO t VALUES (1)');
    await lab.check();
  });

  test('to track a table the triggers of others are not read', async () => {
    const names = (count: number) => Array.from({ length: count }, (_, table) => `many_${table}`);
    // Of so few triggers the planner would read all, where it looks up those of one table among a thousand.
    const sql = lab.session();
    await sql`SET enable_seqscan = off`;
    const readOf = async (table: string) => {
      await lab.run(`CREATE TABLE ${table} (id int PRIMARY KEY)`);
      return sql.begin(async (tx) => {
        // Of this session, also from before: what it has not told the others yet.
        const read = async () => {
          const [row] = await tx`SELECT seq_tup_read + idx_tup_fetch AS n FROM pg_stat_xact_sys_tables WHERE relname = 'pg_trigger'`;
          return Number(row?.n);
        };
        const before = await read();
        await tx`SELECT audit.track(${table}::text::regclass)`;
        return (await read()) - before;
      });
    };
    const few = await readOf('t');
    await lab.run(
      names(30)
        .map((name) => `CREATE TABLE ${name} (id int PRIMARY KEY)`)
        .join(';'),
    );
    await lab.track(...names(30));
    expect(few).toBeGreaterThan(0);
    // Each of the others has seven.
    expect(await readOf('u')).toBeLessThan(few + 30);
  });

  test('install makes every capture function anew, and drops those of tables that are gone', async () => {
    await lab.run('CREATE TABLE t (id int PRIMARY KEY); CREATE TABLE gone (id int PRIMARY KEY)');
    const [kept, gone] = await lab.track('t', 'gone');
    await lab.run(
      `DROP TABLE gone; CREATE OR REPLACE FUNCTION audit.capture_${kept?.id}_i() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`,
    );
    const of = (id = 0) => ['d', 'i', 'u'].map((op) => `capture_${id}_${op}`);
    expect(await functions()).toEqual(expect.arrayContaining([...of(kept?.id), ...of(gone?.id)]));
    await install(lab.url);
    expect(await functions()).toEqual(of(kept?.id));
    await lab.run('INSERT INTO t VALUES (1)');
    await lab.check();
  });

  test('another key: named by status, taken by track', async () => {
    await lab.run('CREATE TABLE t (a int PRIMARY KEY, b int NOT NULL)');
    await lab.track('t');
    await lab.run('ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ADD PRIMARY KEY (b)');
    expect((await state())[0]).toMatchObject({ problem: 'drifted', drift: ['key'] });
    expect((await lab.track('t'))[0]?.key).toEqual(['b']);
    expect((await state())[0]?.problem).toBeNull();
    await lab.run(
      'INSERT INTO t VALUES (1, 1), (1, 2); UPDATE t SET b = b + 5; WITH d AS (DELETE FROM t RETURNING *) INSERT INTO t SELECT * FROM d LIMIT 1',
    );
    await lab.check();
    await lab.run('ALTER TABLE t DROP CONSTRAINT t_pkey; ALTER TABLE t ALTER b DROP NOT NULL');
    expect((await lab.track('t'))[0]?.key).toBeNull();
    expect((await state())[0]?.problem).toBeNull();
  });

  test.each([
    ['a temporary table', 'CREATE TEMP TABLE t (id int)', 'temporary'],
    ['a view', 'CREATE VIEW t AS SELECT 1 AS id', 'only tables'],
    ['a materialized view', 'CREATE MATERIALIZED VIEW t AS SELECT 1 AS id', 'only tables'],
    [
      'a foreign table',
      'CREATE FOREIGN DATA WRAPPER w; CREATE SERVER s FOREIGN DATA WRAPPER w; CREATE FOREIGN TABLE t (id int) SERVER s',
      'only tables',
    ],
    [
      'a partition',
      'CREATE TABLE root (id int) PARTITION BY RANGE (id); CREATE TABLE t PARTITION OF root DEFAULT',
      'track its root public.root',
    ],
    ['a parent', 'CREATE TABLE t (id int); CREATE TABLE child () INHERITS (t)', 'INHERITS'],
    ['a child', 'CREATE TABLE parent (id int); CREATE TABLE t () INHERITS (parent)', 'INHERITS'],
  ])('refused with its reason: %s', async (_, ddl, reason) => {
    try {
      await lab.sql.begin(async (tx) => {
        await tx.unsafe(ddl);
        const [row] = await tx`SELECT audit.refusal('t'::regclass) AS why`;
        expect(row?.why).toContain(reason);
        await expect(tx.savepoint((sp) => sp`SELECT audit.track('t')`)).rejects.toMatchObject({
          code: '0A000',
          message: expect.stringContaining(reason),
        });
        throw new Error('roll back');
      });
    } catch (error) {
      if ((error as Error).message !== 'roll back') throw error;
    }
  });

  test.each(['audit.cdc', 'audit.batch', 'pg_catalog.pg_class', 'information_schema.sql_parts'])('refused: %s', async (name) => {
    await expect(lab.sql`SELECT audit.track(${name}::regclass)`).rejects.toMatchObject({
      code: '0A000',
      message: expect.stringContaining('belongs to'),
    });
  });

  test('an UNLOGGED table, and one with rules and statistics, is tracked like any other', async () => {
    await lab.run('CREATE UNLOGGED TABLE t (id int PRIMARY KEY); CREATE STATISTICS st ON (id + 1) FROM t');
    await lab.track('t');
    await lab.run('INSERT INTO t VALUES (1)');
    await lab.check();
  });

  test('status names a dropped, a disabled and a lost trigger, INHERITS added later, and rows that no trigger saw', async () => {
    for (const name of ['dropped', 'disabled', 'bypassed', 'filled', 'parent']) await lab.run(`CREATE TABLE ${name} (id int PRIMARY KEY)`);
    const [, disabled, bypassed] = await lab.track('dropped', 'disabled', 'bypassed', 'filled', 'parent');
    await lab.run(`INSERT INTO filled VALUES (1); DROP TABLE dropped; ALTER TABLE disabled DISABLE TRIGGER sluice_capture_u_${disabled?.id}; DROP TRIGGER sluice_capture_u_${bypassed?.id} ON bypassed;
      ALTER TABLE filled ADD COLUMN five int DEFAULT 5; CREATE TABLE child () INHERITS (parent)`);
    expect((await state()).map((row) => [row.table_name, row.problem])).toEqual([
      ['bypassed', 'bypassed'],
      ['disabled', 'disabled'],
      ['dropped', 'dropped'],
      ['filled', 'drifted'],
      ['parent', 'refused'],
    ]);
  });

  test('a role that owns a table may not track it unless it was given the functions', async () => {
    await lab.run(`CREATE TABLE t (id int PRIMARY KEY); ALTER TABLE t OWNER TO ${owner}`);
    const session = lab.session({ user: owner });
    await expect(session`SELECT audit.track('t')`).rejects.toMatchObject({ code: '42501' });
  });

  test('track waits for open writers and loses none of their changes or those after', async () => {
    await lab.run('CREATE TABLE t (id int PRIMARY KEY)');
    const writer = lab.session();
    await writer.unsafe('BEGIN; INSERT INTO t VALUES (1)');
    const tracking = lab.track('t');
    await writer.unsafe('INSERT INTO t VALUES (2)');
    await writer.unsafe('COMMIT');
    await tracking;
    await writer.unsafe('INSERT INTO t VALUES (3)');
    expect(await lab.logged()).toEqual(['I t {"id":3}']);
  });
});
