import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { uninstall } from '../../src/source/index.ts';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';

/** Whatever becomes of a tracked table: the application's statements go through. */
describe.each(testVersions())('the application never fails because of capture on PostgreSQL %i', (version) => {
  let lab: Lab;
  const owner = `sluice_owner_${version}`;
  beforeAll(async () => {
    lab = await openLab(version);
  });
  afterAll(async () => {
    await lab.run(`REASSIGN OWNED BY ${owner} TO postgres; DROP OWNED BY ${owner}; DROP ROLE ${owner}`).catch(() => {});
    await lab[Symbol.asyncDispose]();
  });
  beforeEach(() => lab.reset());

  const status = async () => (await lab.sql`SELECT problem FROM audit.status`).map((row) => row.problem);

  /** An application trigger that makes each update of t a nested, hence reread, one. */
  const nested = `
    CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF pg_trigger_depth() < 2 THEN UPDATE t SET n = coalesce(n, 0) + 1; END IF; RETURN NULL; END $$;
    CREATE TRIGGER again AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION again();`;
  const layouts = {
    plain: 'CREATE TABLE t (id int PRIMARY KEY, v text, n int)',
    partitioned: `CREATE TABLE t (id int PRIMARY KEY, v text, n int) PARTITION BY RANGE (id);
      CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (MINVALUE) TO (3); CREATE TABLE t2 PARTITION OF t DEFAULT`,
  };

  describe.each(Object.entries(layouts))('%s', (_, ddl) => {
    beforeEach(async () => {
      await lab.run(ddl);
      await lab.track('t');
      await lab.run(`INSERT INTO t SELECT i, 'v' FROM generate_series(1, 5) i; ${nested}`);
    });

    test('key column renamed, table renamed, table moved: then statements that read keys again', async () => {
      await lab.run('ALTER TABLE t RENAME COLUMN id TO "I""D%s"; UPDATE t SET v = 1');
      const renamed = (await lab.changes()).slice(5);
      await lab.check({ changes: renamed, partial: true });
      await lab.run('UPDATE t SET "I""D%s" = "I""D%s" + 10, v = 2');
      const { length } = await lab.changes();
      await lab.run(`CREATE SCHEMA "else.where"; ALTER TABLE t SET SCHEMA "else.where"; ALTER TABLE "else.where".t RENAME TO "new_rows";
        SET search_path = "else.where", public; CREATE VIEW t AS TABLE new_rows; UPDATE new_rows SET v = 'w'; RESET search_path`);
      expect((await lab.changes()).length).toBeGreaterThan(length);
      expect([...new Set((await lab.changes()).map((change) => change.table))]).toEqual(['else.where.new_rows']);
      await lab.check({ changes: (await lab.changes()).slice(5) });
    });

    test('key dropped: logged only, and status says so', async () => {
      await lab.run(
        'ALTER TABLE t DROP CONSTRAINT t_pkey; UPDATE t SET v = 1; UPDATE t SET id = id + 1; DELETE FROM t WHERE id = 2; TRUNCATE t',
      );
      expect(await status()).toEqual(['drifted']);
      await lab.track('t');
      await lab.run("INSERT INTO t VALUES (1, 'x')");
      expect(await status()).toEqual([null]);
      expect((await lab.logged()).at(-1)).toBe('I t {"id":1,"v":"x","n":null}');
    });

    test('columns added, dropped and changed while changes wait', async () => {
      await lab.run(
        'ALTER TABLE t ADD COLUMN extra numeric; UPDATE t SET extra = 12345678901234567890.123456789; ALTER TABLE t DROP COLUMN v; UPDATE t SET id = id + 5',
      );
      await lab.run(
        'ALTER TABLE t ALTER COLUMN n TYPE text USING n || $$!$$; CREATE OR REPLACE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF pg_trigger_depth() < 2 THEN UPDATE t SET n = 2; END IF; RETURN NULL; END $$; UPDATE t SET extra = 1',
      );
      await lab.check();
      expect(await status()).toEqual(['drifted']);
    });

    test('table dropped while changes wait', async () => {
      await lab.run('UPDATE t SET v = 1; DROP TABLE t CASCADE; CREATE TABLE t (id int)');
      expect(await status()).toEqual(['dropped']);
      expect((await lab.changes()).length).toBeGreaterThan(5);
    });

    test('the right to read is revoked from the owner of schema audit: logged as it came, and status says so', async () => {
      await lab.run(`DO $$ BEGIN CREATE ROLE ${owner}; EXCEPTION WHEN duplicate_object THEN NULL; END $$;
        GRANT ${owner} TO CURRENT_USER`);
      await lab.run(`ALTER SCHEMA audit OWNER TO ${owner};
        DO $$ DECLARE f regprocedure; r regclass; BEGIN
          FOR r IN SELECT oid FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relkind IN ('r', 'v') LOOP
            EXECUTE format('ALTER TABLE %s OWNER TO ${owner}', r); END LOOP;
          FOR f IN SELECT oid FROM pg_proc WHERE pronamespace = 'audit'::regnamespace LOOP EXECUTE format('ALTER FUNCTION %s OWNER TO ${owner}', f); END LOOP;
        END $$;
        ALTER SEQUENCE audit.cdc_seq OWNER TO ${owner}`);
      try {
        expect(await status()).toEqual(['refused']);
        await lab.run(
          "UPDATE t SET v = 'unreadable'; UPDATE t SET id = id + 1 WHERE id = 5; UPDATE t SET v = 'plain' WHERE id = 2; DELETE FROM t WHERE id = 1",
        );
        const faults = await lab.sql`SELECT faults FROM audit.status`;
        expect(faults[0]?.faults).toEqual(['42501']);
        expect((await lab.logged()).at(-1)).toMatch(/^D t/);
        await lab.run(`GRANT SELECT ON t TO ${owner}; ALTER TABLE t ENABLE ROW LEVEL SECURITY; UPDATE t SET v = 'hidden'`);
        expect((await lab.logged()).at(-1)).toMatch(/^U t .*hidden/);
        expect(await status()).toEqual(['refused']);
        await lab.run('ALTER TABLE t DISABLE ROW LEVEL SECURITY');
        expect(await status()).toEqual(['unproved']);
        await lab.track('t');
        expect(await status()).toEqual([null]);
        const before = (await lab.changes()).length;
        await lab.run("UPDATE t SET v = 'readable'");
        const changes = (await lab.changes()).slice(before);
        expect(changes.length).toBeGreaterThan(0);
        await lab.check({ changes, partial: true });
      } finally {
        await lab.run(`ALTER SCHEMA audit OWNER TO postgres; REASSIGN OWNED BY ${owner} TO postgres`);
      }
    });
  });

  test('uninstalled under an open session that has the functions cached', async () => {
    const other = await openLab(version);
    const session = other.session();
    await other.run(layouts.plain);
    await other.track('t');
    await session`INSERT INTO t VALUES (1)`;
    await uninstall(other.sql);
    await session`INSERT INTO t VALUES (2)`;
    expect(await session`SELECT id FROM t ORDER BY 1`).toHaveLength(2);
    await other[Symbol.asyncDispose]();
  });
});
