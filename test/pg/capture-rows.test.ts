import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';

/** What is special about capture that is called for each row: it keeps no state, asks the row version, and pins only the settings that it needs. */
describe.each(testVersions())('capture by row on PostgreSQL %i', (version) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(version);
  });
  afterAll(() => lab[Symbol.asyncDispose]());
  beforeEach(async () => {
    await lab.reset();
    await lab.run('CREATE TABLE t (id int PRIMARY KEY, v text)');
    await lab.track('t');
  });

  const ops = async () => (await lab.changes()).map(({ op, data }) => `${op} ${data}`);

  test('a row that its own transaction has locked first is logged once, as what it was', async () => {
    await lab.run("INSERT INTO t VALUES (1, 'a'), (2, 'b')");
    const session = lab.session();
    await session.unsafe("BEGIN; SELECT FROM t WHERE id = 1 FOR UPDATE; UPDATE t SET v = 'locked' WHERE id = 1; COMMIT");
    await session.unsafe('BEGIN; SELECT FROM t FOR UPDATE; DELETE FROM t WHERE id = 2; UPDATE t SET id = 3; COMMIT');
    expect((await ops()).slice(2)).toEqual([
      'U {"id":1,"v":"locked"}',
      'D {"id":2,"v":"b"}',
      'D {"id":1,"v":"locked"}',
      'U {"id":3,"v":"locked"}',
    ]);
    await lab.check();
  });

  test('a parent whose row another session holds by a foreign key is logged when it changes', async () => {
    await lab.run('CREATE TABLE child (id int PRIMARY KEY, t int REFERENCES t)');
    await lab.run("INSERT INTO t VALUES (1, 'a')");
    const other = lab.session();
    await other.unsafe('BEGIN; INSERT INTO child VALUES (1, 1)');
    await lab.run("UPDATE t SET v = 'b'");
    await other.unsafe('COMMIT');
    await lab.run("UPDATE t SET v = 'c'");
    expect((await ops()).slice(1)).toEqual(['U {"id":1,"v":"b"}', 'U {"id":1,"v":"c"}']);
  });

  test('nothing of the application’s search_path is called with the rights of capture', async () => {
    await lab.run(`
      CREATE SCHEMA evil;
      CREATE FUNCTION evil.caught() RETURNS text LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'called as %', current_user; END $$;
      CREATE FUNCTION evil.row_to_json(record) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN evil.caught(); END $$;
      CREATE FUNCTION evil.row_to_json(t) RETURNS json LANGUAGE plpgsql AS $$ BEGIN RETURN evil.caught(); END $$;
      CREATE FUNCTION evil.pg_column_size(t) RETURNS int LANGUAGE plpgsql AS $$ BEGIN RETURN evil.caught(); END $$;
      CREATE FUNCTION evil.current_setting(text) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN evil.caught(); END $$;
      CREATE FUNCTION evil.current_setting(text, boolean) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN evil.caught(); END $$;
      CREATE FUNCTION evil.set_config(text, text, boolean) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN evil.caught(); END $$;
      CREATE FUNCTION evil.record_image_eq(record, record) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN RETURN evil.caught() = ''; END $$;
      CREATE FUNCTION evil.layout(int, regclass) RETURNS text LANGUAGE plpgsql AS $$ BEGIN RETURN evil.caught(); END $$;
      CREATE TABLE evil.t (id int); CREATE TABLE evil.cdc (cdc_op "char", table_id int, data json);
      CREATE DOMAIN evil.text AS pg_catalog.int4; CREATE DOMAIN evil.json AS pg_catalog.int4; CREATE DOMAIN evil.xid AS pg_catalog.int4; CREATE DOMAIN evil.regclass AS pg_catalog.int4`);
    for (const type of ['int', 'pg_catalog.text', 'pg_catalog.xid', 'tid', 'oid', 'boolean']) {
      await lab.run(`CREATE FUNCTION evil.eq(${type}, ${type}) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN PERFORM evil.caught(); RETURN true; END $$;
        CREATE OPERATOR evil.= (FUNCTION = evil.eq, LEFTARG = ${type}, RIGHTARG = ${type});
        CREATE OPERATOR evil.<= (FUNCTION = evil.eq, LEFTARG = ${type}, RIGHTARG = ${type})`);
    }
    await lab.run('CREATE TABLE w (code text PRIMARY KEY, at timestamptz, v text)');
    await lab.track('w');
    await lab.run(`CREATE ROLE evil_${version} LOGIN PASSWORD 'app'; GRANT USAGE ON SCHEMA evil, public TO evil_${version};
      GRANT ALL ON public.t, public.w TO evil_${version}`);
    try {
      const session = lab.session({ user: `evil_${version}` });
      await session.unsafe('SET search_path = evil, pg_catalog');
      const statements = [
        "INSERT INTO public.t VALUES (1, 'a'), (2, 'b')",
        "BEGIN; SELECT FROM public.t FOR UPDATE; UPDATE public.t SET v = 'c'; COMMIT",
        'UPDATE public.t SET id = 5 WHERE v IS NOT NULL AND ctid OPERATOR(pg_catalog.=) (SELECT min(ctid) FROM public.t)',
        "INSERT INTO public.w VALUES ('x', pg_catalog.now(), 'a')",
        "UPDATE public.w SET v = 'b'",
        "UPDATE public.w SET code = 'y'",
        'DELETE FROM public.w',
        'DELETE FROM public.t WHERE v IS NOT NULL',
      ];
      for (const statement of statements) await session.unsafe(statement);
      // The slow way too: names that are no longer what they were.
      await lab.run('ALTER TABLE t RENAME id TO number; ALTER TABLE w RENAME code TO label');
      for (const statement of [
        "INSERT INTO public.t VALUES (7, 'a')",
        'UPDATE public.t SET number = 8',
        'DELETE FROM public.t',
        "INSERT INTO public.w VALUES ('z')",
        'DELETE FROM public.w',
      ])
        await session.unsafe(statement);
      expect((await session.unsafe('SHOW search_path'))[0]?.search_path).toBe('evil, pg_catalog');
      expect((await session.unsafe('SHOW row_security'))[0]?.row_security).toBe('on');
      await lab.check();
      expect(await lab.sql`SELECT FROM audit.fault`).toHaveLength(0);
    } finally {
      await lab.run(`DROP OWNED BY evil_${version}; DROP ROLE evil_${version}`);
    }
  });

  test('a column whose type needs a setting is captured right in the transaction that adds it', async () => {
    const session = lab.session();
    await session.unsafe(
      `SET TimeZone = 'Asia/Tokyo'; SET extra_float_digits = -10; SET bytea_output = 'escape'; SET IntervalStyle = 'sql_standard'; SET DateStyle = 'German'`,
    );
    await session.unsafe(`BEGIN; INSERT INTO t VALUES (1, 'a'); ALTER TABLE t ADD at timestamptz, ADD f float8, ADD b bytea, ADD i interval, ADD r daterange;
      UPDATE t SET at = '2026-01-01 12:00:00+00', f = 0.1::float8 + 0.2::float8, b = '\\x00ff', i = '1 day 2 hours', r = '[2026-01-02,2026-02-03)';
      INSERT INTO t SELECT 2, 'b', at, f, b, i, r FROM t; DELETE FROM t WHERE id = 1; COMMIT`);
    const text =
      '"at":"2026-01-01T12:00:00+00:00","f":0.30000000000000004,"b":"\\\\x00ff","i":"1 day 02:00:00","r":"[2026-01-02,2026-02-03)"}';
    expect(await ops()).toEqual([
      'I {"id":1,"v":"a"}',
      `U {"id":1,"v":"a",${text}`,
      `I {"id":2,"v":"b",${text}`,
      `D {"id":1,"v":"a",${text}`,
    ]);
    await lab.sql`SELECT audit.refresh(table_id) FROM audit.tracked_table`;
    await session.unsafe('UPDATE t SET v = NULL');
    expect((await ops()).at(-1)).toBe(`U {"id":2,"v":null,${text}`);
  });

  test('a table changes hands between row and statement: nothing twice, nothing lost, no trigger or function left', async () => {
    const capture = async (way: string) => {
      await lab.sql`SELECT audit.track('t', ${{ capture: way } as never}::jsonb)`;
      const triggers = await lab.sql`SELECT tgname FROM pg_trigger WHERE tgrelid = 't'::regclass AND NOT tgisinternal`;
      const functions = await lab.sql`SELECT audit.capture_functions(table_id)::text FROM audit.tracked_table WHERE relid = 't'::regclass`;
      return [triggers.length, functions.length];
    };
    await lab.run("INSERT INTO t VALUES (1, 'by row')");
    expect(await capture('statement')).toEqual([7, 1]);
    await lab.run("INSERT INTO t VALUES (2, 'by statement')");
    // Without options as before.
    await lab.track('t');
    expect((await lab.sql`SELECT capture FROM audit.tracked_table`)[0]?.capture).toBe('statement');
    expect(await capture('row')).toEqual([4, 3]);
    await lab.run("INSERT INTO t VALUES (3, 'by row')");
    expect((await ops()).map((line) => line.slice(0, 8))).toEqual(['I {"id":', 'I {"id":', 'I {"id":']);
    expect((await lab.sql`SELECT problem, stale FROM audit.status`)[0]).toEqual({ problem: null, stale: false });
    await lab.check();
    await expect(lab.sql`SELECT audit.track('t', '{"capture": "both"}')`).rejects.toThrow('neither row nor statement');
  });

  test('a key that the user named has no index to look it up: its table is captured by statement', async () => {
    await lab.run('CREATE TABLE named (a int NOT NULL, v text)');
    await lab.sql`SELECT audit.track('named', '{"key": ["a"]}')`;
    const [row] = await lab.sql`SELECT capture FROM audit.tracked_table WHERE relid = 'named'::regclass`;
    expect(row?.capture).toBe('statement');
  });

  test('capture that may not look a deleted row up logs the deletion all the same, and status says so', async () => {
    await lab.run(`INSERT INTO t VALUES (1, 'a'), (2, 'b'); CREATE ROLE weak_rows_${version}; GRANT USAGE ON SCHEMA audit TO weak_rows_${version};
      GRANT ALL ON ALL TABLES IN SCHEMA audit TO weak_rows_${version}; GRANT USAGE ON SEQUENCE audit.cdc_seq TO weak_rows_${version};
      GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA audit TO weak_rows_${version}; GRANT CREATE ON SCHEMA audit TO weak_rows_${version};
      DO $$ DECLARE f regprocedure; BEGIN FOR f IN SELECT audit.capture_functions(table_id) FROM audit.tracked_table LOOP
        EXECUTE format('ALTER FUNCTION %s OWNER TO weak_rows_${version}', f); END LOOP; END $$`);
    try {
      await lab.run('DELETE FROM t WHERE id = 1; UPDATE t SET id = 3');
      await lab.check();
      expect((await lab.sql`SELECT FROM audit.fault WHERE sqlstate = '42501'`).length).toBeGreaterThan(0);
    } finally {
      await lab.run(`DROP TABLE t; DO $$ DECLARE f regprocedure; BEGIN FOR f IN SELECT oid FROM pg_proc WHERE proowner = 'weak_rows_${version}'::regrole LOOP
        EXECUTE format('DROP FUNCTION %s', f); END LOOP; END $$; DROP OWNED BY weak_rows_${version}; DROP ROLE weak_rows_${version}; DELETE FROM audit.fault`);
    }
  });
});
