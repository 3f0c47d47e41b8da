import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';
import { tableRows } from '../support/replay.ts';

/** Who writes, and under which settings, makes no difference to what is logged. */
describe.each(testVersions())('captured sessions on PostgreSQL %i', (version) => {
  let lab: Lab;
  const app = `sluice_app_${version}_${Math.random().toString(36).slice(2, 8)}`;
  beforeAll(async () => {
    lab = await openLab(version);
    await lab.run(`CREATE ROLE ${app} LOGIN PASSWORD 'app'`);
  });
  afterAll(async () => {
    await lab.reset();
    await lab.run(`DROP OWNED BY ${app}; DROP ROLE ${app}`);
    await lab[Symbol.asyncDispose]();
  });
  beforeEach(() => lab.reset());

  const types = `CREATE TABLE t (id timestamptz PRIMARY KEY, d date, ts timestamp, i interval, b bytea, f float8, r float4, m money, n numeric, x text)`;
  const rows = `INSERT INTO t VALUES ('2024-02-29 23:30:00.123456+05:30', '1999-12-31', '0044-03-15 BC', '-1 year 2 mons -3 days 04:05:06.789', '\\x00ff', 0.1::float8 + 0.2, 0.1, 1234.5, 1.10, 'a'),
    ('infinity', 'infinity', '-infinity', '1 mon -1 day', '', 'NaN', '-0', -1, 'NaN', E'quote '' back \\\\ nul-ish \\x01 \\u00e9')`;

  test.each([
    ["SET TimeZone = 'Asia/Kathmandu'"],
    ["SET DateStyle = 'German, DMY'"],
    ["SET DateStyle = 'SQL, MDY'"],
    ['SET IntervalStyle = iso_8601'],
    ['SET IntervalStyle = sql_standard'],
    ['SET bytea_output = escape'],
    ['SET extra_float_digits = -5'],
    ['SET standard_conforming_strings = off; SET escape_string_warning = off'],
    ['SET quote_all_identifiers = on; SET transform_null_equals = on'],
    ["SET plpgsql.extra_errors = 'shadowed_variables, too_many_rows, strict_multi_assignment'"],
    ['SET default_transaction_isolation = serializable'],
    ['SET default_transaction_isolation = "repeatable read"'],
    ['SET jit = on; SET jit_above_cost = 0; SET plan_cache_mode = force_generic_plan'],
    ['SET enable_hashjoin = off; SET enable_mergejoin = off; SET enable_nestloop = off; SET enable_indexscan = off'],
    [
      `SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0; SET ${version >= 16 ? 'debug_parallel_query' : 'force_parallel_mode'} = regress`,
    ],
  ])('%s', async (settings) => {
    await lab.run(types);
    await lab.track('t');
    const session = lab.session();
    await session.unsafe(settings.split(';').some((one) => one.includes('standard_conforming')) ? 'SELECT 1' : settings);
    await session.unsafe(rows);
    await session.unsafe(settings);
    await session.unsafe("UPDATE t SET x = 'b'");
    await session.unsafe("UPDATE t SET id = id + '1 day'; WITH d AS (DELETE FROM t RETURNING *) INSERT INTO t SELECT * FROM d LIMIT 1");
    const expected = await tableRows(lab.sql, 't');
    expect(expected.length).toBe(1);
    await lab.check();
    await session.unsafe('DISCARD ALL');
    await session.unsafe('DELETE FROM t');
    await lab.check();
  });

  test('an application role without any right on audit, also under SET ROLE, SECURITY DEFINER and as owner of the table', async () => {
    await lab.run(`CREATE TABLE t (id int PRIMARY KEY, v text); GRANT ALL ON t TO ${app}; CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p DEFAULT;
      ALTER TABLE p OWNER TO ${app}`);
    await lab.track('t', 'p');
    const session = lab.session({ user: app });
    const write = async () => {
      for (const table of ['t', 'p']) {
        await session.unsafe(`INSERT INTO ${table} VALUES (1, 'a'), (2, 'b'); UPDATE ${table} SET v = 'c'; UPDATE ${table} SET id = id + 5 WHERE id = 2; DELETE FROM ${table} WHERE id = 1;
          WITH d AS (DELETE FROM ${table} RETURNING *) INSERT INTO ${table} SELECT * FROM d LIMIT 1; TRUNCATE ${table}; INSERT INTO ${table} VALUES (9, 'z')`);
      }
      await lab.check();
    };
    await write();
    await lab.sql`SELECT audit.swap(1000)`;
    await session`DELETE FROM t`;
    await session`DELETE FROM p`;
    await write();
    await lab.run(`SET ROLE ${app}; UPDATE t SET v = 'role'; RESET ROLE`);
    await lab.check();
    for (const forbidden of [
      'SELECT * FROM audit.cdc',
      'INSERT INTO audit.cdc (cdc_op, table_id) VALUES (1, 1)',
      "SELECT audit.track('t')",
      'SELECT audit.swap()',
      "SELECT audit.untrack('t')",
    ]) {
      await expect(session.unsafe(forbidden)).rejects.toMatchObject({ code: '42501' });
    }
  });

  test('a hostile search_path: functions and operators of the application shadow what capture uses', async () => {
    await lab.run(
      `CREATE TABLE t (id int PRIMARY KEY, v text); CREATE TABLE p (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE p1 PARTITION OF p DEFAULT`,
    );
    await lab.track('t', 'p');
    await lab.run(`CREATE SCHEMA evil;
      CREATE TABLE evil.stolen (what text);
      CREATE FUNCTION evil.lower(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'shadowed'; END $$;
      CREATE FUNCTION evil.upper(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'shadowed'; END $$;
      CREATE FUNCTION evil.length(text) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'shadowed'; END $$;
      CREATE FUNCTION evil.row_to_json(record) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'shadowed'; END $$;
      CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'shadowed'; END $$;
      CREATE FUNCTION evil.bad(text, text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'shadowed'; END $$;
      CREATE FUNCTION evil.bad(int, int) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'shadowed'; END $$;
      CREATE FUNCTION evil.never(text, text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'shadowed'; END $$;
      CREATE OPERATOR evil.|| (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.bad); CREATE OPERATOR evil.= (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.never);
      CREATE OPERATOR evil.<> (LEFTARG = text, RIGHTARG = text, FUNCTION = evil.never); CREATE OPERATOR evil.+ (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.bad);
      CREATE OPERATOR evil.- (LEFTARG = int, RIGHTARG = int, FUNCTION = evil.bad)`);
    const session = lab.session();
    await session.unsafe('SET search_path = evil, public, pg_catalog');
    for (const table of ['t', 'p']) {
      await session.unsafe(
        `INSERT INTO ${table} VALUES (1, 'a'), (2, 'b'); UPDATE ${table} SET id = 3 WHERE id OPERATOR(pg_catalog.=) 2; WITH d AS (DELETE FROM ${table} RETURNING *) INSERT INTO ${table} SELECT * FROM d LIMIT 1`,
      );
    }
    await session.unsafe(
      "CREATE TEMP TABLE cdc (x int); CREATE TEMP TABLE tracked_table (x int); UPDATE t SET v = 'temp'; UPDATE p SET v = 'temp'",
    );
    await lab.check();
    // Tracking under such a path makes the same triggers.
    await session.unsafe(
      "SET search_path = evil, public, pg_catalog; SELECT audit.track('public.t'); SELECT audit.track('public.p'); UPDATE public.t SET v = 'again', id = 5; UPDATE p SET v = 'again', id = 7",
    );
    await lab.check();
  });

  test('prepared transactions, and a rollback of one', async () => {
    await lab.run('CREATE TABLE t (id int PRIMARY KEY)');
    await lab.track('t');
    const session = lab.session();
    const name = `p${app}`;
    await session.unsafe(`BEGIN; INSERT INTO t VALUES (1); UPDATE t SET id = 2; PREPARE TRANSACTION '${name}'`);
    expect(await lab.logged()).toEqual([]);
    await session.unsafe(`COMMIT PREPARED '${name}'`);
    await session.unsafe(`BEGIN; INSERT INTO t VALUES (3); PREPARE TRANSACTION '${name}'`);
    await session.unsafe(`ROLLBACK PREPARED '${name}'`);
    await lab.check();
  });

  test('prepared statements and functions cached across swaps', async () => {
    await lab.run(`CREATE TABLE t (id int PRIMARY KEY, v text);
      CREATE FUNCTION put(i int) RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (i, 'f'); UPDATE t SET v = 'g' WHERE id = i; END $$`);
    await lab.track('t');
    const session = lab.session();
    await session.unsafe('PREPARE put AS INSERT INTO t VALUES ($1, $2)');
    const batches: number[] = [];
    for (let i = 0; i < 24; i += 2) {
      await session.unsafe(`EXECUTE put (${i}, 'p'); SELECT put(${i} + 1)`);
      const [batch] = await lab.sql`SELECT id FROM audit.swap(1000)`;
      const taken = (await lab.changes()).length;
      batches.push(taken);
      await lab.sql`SELECT audit.finish(${batch?.id}, ${taken})`;
    }
    expect(batches).toEqual(Array(12).fill(3));
  });

  test.each(['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'])(
    'keys read again under %s see what this transaction did, with others writing',
    async (level) => {
      await lab.run(`CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE other (id int PRIMARY KEY, v int)`);
      await lab.track('t', 'other');
      await lab.run(`INSERT INTO t SELECT i, 0 FROM generate_series(1, 20) i;
      CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
        IF pg_trigger_depth() < 2 THEN UPDATE t SET v = v + 100 WHERE id = NEW.id; INSERT INTO other VALUES (NEW.id, NEW.v) ON CONFLICT (id) DO UPDATE SET v = excluded.v; END IF; RETURN NULL; END $$;
      CREATE TRIGGER again AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION again()`);
      const sessions = [lab.session(), lab.session(), lab.session()];
      let committed = 0;
      await Promise.all(
        sessions.map(async (session, number) => {
          for (let i = 0; i < 15; i++) {
            try {
              await session.unsafe(`BEGIN ISOLATION LEVEL ${level}; UPDATE t SET v = v + 1 WHERE id % 7 = ${(i + number) % 7}; UPDATE t SET id = id + 1000 WHERE id = ${number * 5 + 1 + (i % 5)};
              DELETE FROM t WHERE id = ${30 + i}; INSERT INTO t VALUES (${30 + i}, ${number}) ON CONFLICT DO NOTHING; COMMIT`);
              committed++;
            } catch (error) {
              expect(['40001', '40P01', '23505']).toContain((error as { code: string }).code);
              await session.unsafe('ROLLBACK');
            }
          }
        }),
      );
      expect(committed).toBeGreaterThan(5);
      await lab.check();
    },
  );
});
