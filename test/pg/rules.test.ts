import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Sql } from '../../src/source/index.ts';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';

/** Column rules: what is excluded or masked reaches not even the buffer, whatever happens to the table and however a statement is captured. */
describe.each(testVersions())('column rules on PostgreSQL %i', (version) => {
  let lab: Lab;
  let writer: Sql;
  beforeAll(async () => {
    lab = await openLab(version);
    writer = lab.session();
  });
  afterAll(() => lab[Symbol.asyncDispose]());
  beforeEach(() => lab.reset());

  const rules = { exclude: ['x'], mask: { h: 'hash', c: 'constant', n: null, l: 'keep-last-2' } };
  const secrets = "'secret-x', 'secret-h', 'secret-c', 'secret-n', 'secret-l'";
  const columns = 'id int, v text, x text, h text, c text, n text, l varchar, PRIMARY KEY (id)';
  const layouts = {
    plain: `CREATE TABLE t (${columns})`,
    partitioned: `CREATE TABLE t (${columns}) PARTITION BY RANGE (id); CREATE TABLE t0 PARTITION OF t FOR VALUES FROM (MINVALUE) TO (10);
      CREATE TABLE t1 (l varchar, gone int, n text, c text, h text, x text, v text, id int NOT NULL); ALTER TABLE t1 DROP gone; ALTER TABLE t ATTACH PARTITION t1 DEFAULT`,
  };
  const tracked = async (ddl: string, options: object = rules) => {
    await lab.run(ddl);
    await lab.sql`SELECT audit.track('t', ${options as never}::jsonb)`;
  };

  /** No row of the buffer holds a secret, and each rule shows in some row. */
  const clean = async () => {
    const rows = (await lab.sql`SELECT c::text AS text FROM audit.cdc c`).map((row) => row.text as string);
    expect(rows.filter((text) => text.includes('secret')).slice(0, 3)).toEqual([]);
    return rows;
  };
  const insert = (ids: string) => `INSERT INTO t (id, v, x, h, c, n, l) SELECT i, 'v', ${secrets} FROM generate_series(${ids}) i`;
  const nested = `CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF pg_trigger_depth() < 2 THEN UPDATE t SET v = 'nested' WHERE id % 2 = 0; END IF; RETURN NULL; END $$;
    CREATE TRIGGER again AFTER INSERT OR UPDATE OR DELETE ON t FOR EACH ROW EXECUTE FUNCTION again()`;
  const workload = [
    insert('1, 20'),
    `INSERT INTO t SELECT * FROM t WHERE id = 1 ON CONFLICT (id) DO UPDATE SET v = 'upsert'`,
    "UPDATE t SET v = 'w'",
    "UPDATE t SET v = 'one' WHERE id = 3",
    'UPDATE t SET id = id + 100',
    'UPDATE t SET id = id - 95 WHERE id > 110',
    'UPDATE t SET id = id - 100 WHERE id > 100',
    'WITH d AS (DELETE FROM t WHERE id < 5 RETURNING *) INSERT INTO t SELECT * FROM d',
    'WITH d AS (DELETE FROM t WHERE id BETWEEN 5 AND 12 RETURNING *) INSERT INTO t SELECT * FROM d LIMIT 2',
    "MERGE INTO t USING (VALUES (1), (77)) s (i) ON id = i WHEN MATCHED THEN UPDATE SET v = 'merged' WHEN NOT MATCHED THEN INSERT (id, x, h) VALUES (i, 'secret', 'secret')",
    'DELETE FROM t',
  ];
  const run = async (session: Sql) => {
    for (const statement of workload) await session.unsafe(statement);
  };

  describe.each(Object.entries(layouts))('%s', (_, ddl) => {
    test('every kind of statement, alone and nested', async () => {
      await tracked(ddl);
      for (let i = 0; i < 7; i++) await run(writer);
      await clean();
      await lab.run(`${nested}; TRUNCATE audit.cdc`);
      await run(writer);
      const rows = await clean();
      expect(rows.length).toBeGreaterThan(50);
      const [row] =
        await lab.sql`SELECT data, encode(sha256(k.hash_key || 'secret-h'), 'hex') AS hash FROM audit.cdc, audit.hash_key k WHERE cdc_op = 'I' OR data ->> 'v' = 'w' ORDER BY cdc_seq LIMIT 1`;
      expect(row?.data).toEqual({ id: expect.any(Number), v: expect.any(String), h: row?.hash, c: '***', n: null, l: '***-l' });
    });

    test.each([
      ['ruled columns renamed', 'ALTER TABLE t RENAME x TO y; ALTER TABLE t RENAME h TO x'],
      [
        'a ruled and another column exchange names',
        'ALTER TABLE t RENAME v TO q; ALTER TABLE t RENAME x TO v; ALTER TABLE t RENAME q TO x',
      ],
      [
        'columns added',
        'ALTER TABLE t ADD COLUMN later int DEFAULT 5; ALTER TABLE t ADD COLUMN sluice text, ADD COLUMN hash_key text, ADD COLUMN context text',
      ],
      ['a ruled column dropped and made anew', 'ALTER TABLE t DROP x; ALTER TABLE t ADD x text'],
      ['type changed', 'ALTER TABLE t ALTER l TYPE text; ALTER TABLE t ALTER x TYPE bytea USING convert_to(x, $$UTF8$$)'],
      ['key renamed', 'ALTER TABLE t RENAME id TO "I""D"'],
      ['key dropped', 'ALTER TABLE t DROP CONSTRAINT t_pkey'],
      ['table renamed', 'ALTER TABLE t RENAME TO new_rows'],
    ])('%s, in a session with cached plans, before and after refresh', async (_name, change) => {
      await tracked(ddl);
      const name = async () => (await lab.sql`SELECT relid::text AS name FROM audit.tracked_table`)[0]?.name as string;
      const touch = async (times: number) => {
        const [key] =
          await lab.sql`SELECT quote_ident(attname) AS id FROM pg_attribute WHERE attrelid = ${await name()}::regclass AND attnum = 1`;
        const t = await name();
        const values = Array.from({ length: 6 }, (_v, i) => `'secret-${i}'`).join(', ');
        for (let i = 0; i < times; i++)
          await writer.unsafe(`INSERT INTO ${t} VALUES (${++ids}, ${values.replace("'secret-0'", free)}), (${++ids}, ${values.replace("'secret-0'", free)});
            UPDATE ${t} SET ${key?.id} = ${key?.id} + 1000 WHERE ${key?.id} = ${ids}; UPDATE ${t} SET ${key?.id} = ${key?.id};
            WITH d AS (DELETE FROM ${t} WHERE ${key?.id} = ${ids - 1} RETURNING *) INSERT INTO ${t} SELECT * FROM d; DELETE FROM ${t}`);
      };
      let ids = 0;
      const free = "'v'"; // the second column has no rule
      await touch(7);
      for (const statement of change.split('; ')) await lab.run(statement);
      const count = async () => Number((await lab.sql`SELECT count(*) AS n FROM audit.cdc`)[0]?.n);
      const before = await count();
      await touch(3);
      expect(await count()).toBeGreaterThan(before);
      await clean();
      await lab.sql`SELECT audit.refresh(table_id) FROM audit.tracked_table`;
      await touch(3);
      await clean();
    });

    test('rows that could not be read again are logged by the rules', async () => {
      await tracked(ddl);
      await run(writer);
      await lab.run(`${nested}; CREATE ROLE blind_${version}; ALTER TABLE t OWNER TO blind_${version}`);
      // A capture function that may not read the table: its owner is a role that owns nothing else.
      const functions = await lab.sql<
        { name: string }[]
      >`SELECT f::text AS name FROM audit.tracked_table t CROSS JOIN LATERAL audit.capture_functions(t.table_id) f`;
      const each = (command: (name: string) => string) => functions.map(({ name }) => command(name)).join('; ');
      await lab.run(`CREATE ROLE weak_${version}; GRANT USAGE ON SCHEMA audit TO weak_${version}; GRANT ALL ON ALL TABLES IN SCHEMA audit TO weak_${version};
        GRANT USAGE ON SEQUENCE audit.cdc_seq TO weak_${version}; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA audit TO weak_${version}; GRANT CREATE ON SCHEMA audit TO weak_${version};
        ${each((name) => `ALTER FUNCTION ${name} OWNER TO weak_${version}`)}`);
      try {
        await run(writer);
        await lab.run('ALTER TABLE t RENAME x TO y');
        await writer.unsafe(`INSERT INTO t VALUES (1, 'v', ${secrets}); UPDATE t SET v = 'w'; UPDATE t SET id = 5; DELETE FROM t`);
        expect((await lab.sql`SELECT 1 FROM audit.fault`).length).toBeGreaterThan(0);
        await clean();
      } finally {
        await lab.run(
          `DROP TABLE t; ${each((name) => `DROP FUNCTION ${name}`)}; DROP OWNED BY weak_${version}, blind_${version}; DROP ROLE weak_${version}, blind_${version}; DELETE FROM audit.fault`,
        );
      }
    });

    test('under REPEATABLE READ, an exchange of names that the snapshot does not show', async () => {
      await tracked(ddl);
      await run(writer);
      await writer.unsafe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
      await lab.run('ALTER TABLE t RENAME v TO q; ALTER TABLE t RENAME x TO v; ALTER TABLE t RENAME q TO x');
      await writer.unsafe(
        `INSERT INTO t VALUES (1, 'v', ${secrets}), (2, 'v', ${secrets}); UPDATE t SET x = 'w'; UPDATE t SET id = 5 WHERE id = 1; DELETE FROM t`,
      );
      await writer.unsafe('COMMIT');
      await writer.unsafe(`INSERT INTO t VALUES (1, 'v', ${secrets}); UPDATE t SET x = 'w'; UPDATE t SET id = 5; DELETE FROM t`);
      await clean();
    });

    test('tracked while a transaction of the past is open: the rules hold in it', async () => {
      await lab.run(ddl);
      await writer.unsafe('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1');
      await lab.sql`SELECT audit.track('t', ${rules as never}::jsonb)`;
      await run(writer);
      await writer.unsafe('COMMIT');
      expect((await clean()).length).toBeGreaterThan(10);
    });
  });

  test('a rule that is changed or taken back counts from the next statement on; track without options keeps it', async () => {
    await tracked(layouts.plain);
    await writer.unsafe(insert('1, 1'));
    await lab.sql`SELECT audit.track('t')`;
    await writer.unsafe(insert('2, 2'));
    await clean();
    await lab.sql`SELECT audit.track('t', '{"mask": {"v": "hash"}}')`;
    await writer.unsafe(insert('3, 3'));
    await lab.sql`SELECT audit.track('t', '{}')`;
    await writer.unsafe(insert('4, 4'));
    expect((await lab.sql`SELECT data FROM audit.cdc ORDER BY cdc_seq DESC LIMIT 2`).map(({ data }) => [data.x, data.v])).toEqual([
      ['secret-x', 'v'],
      ['secret-x', expect.stringMatching(/^[0-9a-f]{64}$/)],
    ]);
  });

  test('a masked value is a text whatever its type, and equal values have equal hashes', async () => {
    const types = {
      i: 'int',
      m: 'numeric',
      b: 'bytea',
      j: 'jsonb',
      a: 'int[]',
      r: 'int4range',
      d: 'timestamptz',
      o: 'point',
      e: 'mood',
      p: 'pair',
      z: 'positive',
    };
    const values = `7, 1.50, '\\x00ff', '{"a":1}', '{1,null}', '[1,3)', '2026-01-01 00:00Z', '(1,2)', 'sad', '(1,)', 5`;
    await lab.run(`CREATE TYPE mood AS ENUM ('sad'); CREATE TYPE pair AS (x int, y text); CREATE DOMAIN positive AS int CHECK (VALUE > 0);
      CREATE TABLE t (id int PRIMARY KEY, ${Object.entries(types)
        .map(([name, type]) => `${name} ${type}`)
        .join(', ')})`);
    for (const rule of ['hash', 'keep-last-3', 'constant', 'null']) {
      await lab.sql`SELECT audit.track('t', ${{ mask: Object.fromEntries(Object.keys(types).map((name) => [name, rule])) } as never}::jsonb)`;
      await lab.run(
        `TRUNCATE audit.cdc; DELETE FROM t; TRUNCATE audit.cdc; INSERT INTO t VALUES (1, ${values}), (2, ${values}); SET TimeZone = 'Asia/Tokyo'; INSERT INTO t VALUES (3, ${values}); INSERT INTO t VALUES (4); RESET TimeZone`,
      );
      const rows = (await lab.sql`SELECT data::jsonb - 'id' AS data FROM audit.cdc ORDER BY cdc_seq`).map(
        (row) => row.data as Record<string, unknown>,
      );
      expect(rows[1]).toEqual(rows[0]);
      expect(rows[2]).toEqual(rows[0]);
      const pattern = { hash: /^[0-9a-f]{64}$/, 'keep-last-3': /^\*\*\*(...)?$/, constant: /^\*\*\*$/, null: /never/ }[rule] as RegExp;
      for (const value of Object.values(rows[0] ?? {})) expect(value).toEqual(rule === 'null' ? null : expect.stringMatching(pattern));
      for (const value of Object.values(rows[3] ?? {})) expect(value).toEqual(rule === 'constant' ? '***' : null);
    }
  });

  test.each([
    ['an unknown column', { exclude: ['nope'] }, '42703', 'no column nope'],
    ['a key column, excluded', { exclude: ['id'] }, '0A000', 'part of its key'],
    ['a key column, masked', { mask: { id: 'hash' } }, '0A000', 'part of its key'],
    ['an unknown mask', { mask: { v: 'rot13' } }, '22023', 'keep-last'],
    ['an unknown option', { exclud: ['v'] }, '22023', 'exclud'],
    ['both', { exclude: ['v'], mask: { v: 'hash' } }, '22023', 'both'],
    ['a named key that may be null', { key: ['v'] }, '22023', 'NOT NULL'],
  ])('refused: %s', async (_, options, code, message) => {
    await lab.run(layouts.plain);
    await expect(lab.sql`SELECT audit.track('t', ${options as never}::jsonb)`).rejects.toMatchObject({
      code,
      message: expect.stringContaining(message),
    });
    expect(await lab.sql`SELECT 1 FROM audit.tracked_table`).toHaveLength(0);
  });

  test('refused: a column of the partition key; named by status: a masked column that becomes the key', async () => {
    await lab.run(
      'CREATE TABLE t (id int, region text NOT NULL, v text) PARTITION BY LIST (region); CREATE TABLE t0 PARTITION OF t DEFAULT',
    );
    await expect(lab.sql`SELECT audit.track('t', '{"mask": {"region": "hash"}}')`).rejects.toMatchObject({
      message: expect.stringContaining('partition key'),
    });
    await lab.run('CREATE TABLE u (id int PRIMARY KEY, v text NOT NULL)');
    await lab.sql`SELECT audit.track('u', '{"mask": {"v": "hash"}}')`;
    await lab.run('ALTER TABLE u DROP CONSTRAINT u_pkey, ADD PRIMARY KEY (v)');
    await lab.run("INSERT INTO u VALUES (1, 'secret'); UPDATE u SET v = 'secret2'");
    expect((await lab.sql`SELECT problem, refusal FROM audit.status`)[0]).toMatchObject({
      problem: 'refused',
      refusal: expect.stringContaining('part of its key'),
    });
    await clean();
  });

  test.each([
    ['without an index', ''],
    ['with a deferrable constraint', 'ALTER TABLE t ADD UNIQUE (a, b) DEFERRABLE'],
  ])('a key that the user names %s: changes are in order, and a dropped column of it ends it', async (_, constraint) => {
    await lab.run(`CREATE TABLE t (a int NOT NULL, b text NOT NULL, v text); ${constraint}`);
    await lab.sql`SELECT audit.track('t', '{"key": ["b", "a"]}')`;
    await lab.run(`INSERT INTO t SELECT i, 'b' || i, 'v' FROM generate_series(1, 5) i; UPDATE t SET v = 'w'; UPDATE t SET a = a + 1; UPDATE t SET a = 7 - a, b = 'b';
      WITH d AS (DELETE FROM t RETURNING *) INSERT INTO t SELECT * FROM d LIMIT 2; ALTER TABLE t RENAME a TO aa; UPDATE t SET v = 'x'; UPDATE t SET aa = aa + 10`);
    const changes = (await lab.changes()).map((change) => ({ ...change, data: change.data?.replace('"a":', '"aa":') ?? null }));
    await lab.check({ changes });
    expect((await lab.sql`SELECT key FROM audit.status`)[0]?.key).toEqual(['aa', 'b']);
    await lab.run('ALTER TABLE t DROP COLUMN aa; UPDATE t SET v = b');
    expect((await lab.sql`SELECT key FROM audit.status`)[0]?.key).toBeNull();
  });

  test('the key of hashes can be read by nobody but the owner of schema audit', async () => {
    const daemon = `sluice_daemon_rules_${version}`;
    await lab.run(`CREATE ROLE ${daemon} LOGIN PASSWORD 'app'; SELECT audit.grant_daemon('${daemon}')`);
    try {
      await tracked(layouts.plain);
      const session = lab.session({ user: daemon });
      await expect(session`SELECT * FROM audit.hash_key`).rejects.toMatchObject({ code: '42501' });
      expect((await session`SELECT stale FROM audit.status`)[0]?.stale).toBe(false);
      await lab.run('ALTER TABLE t RENAME v TO w');
      expect((await session`SELECT stale FROM audit.status`)[0]?.stale).toBe(true);
      expect((await session`SELECT audit.refresh(table_id) AS done FROM audit.tracked_table`)[0]?.done).toBe(true);
      const [text] =
        await lab.sql`SELECT string_agg(prosrc, '') AS functions, (SELECT encode(hash_key, 'hex') FROM audit.hash_key) AS key FROM pg_proc WHERE pronamespace = 'audit'::regnamespace`;
      expect(text?.functions).not.toContain(text?.key);
    } finally {
      await lab.run(`DROP OWNED BY ${daemon}; DROP ROLE ${daemon}`);
    }
  });

  test('refresh waits for nobody and nobody for it', async () => {
    await tracked(layouts.plain);
    await writer.unsafe(`BEGIN; ${insert('1, 3')}`);
    const other = lab.session();
    await other.unsafe('BEGIN; LOCK TABLE t IN ROW EXCLUSIVE MODE');
    await lab.run("SET lock_timeout = '1s'; SELECT audit.refresh(table_id, true) FROM audit.tracked_table; RESET lock_timeout");
    await writer.unsafe("UPDATE t SET v = 'w'; COMMIT");
    await other.unsafe('COMMIT');
    await clean();
  });

  if (version !== Math.max(...testVersions())) return; // a quarter of a minute of JSON: on the newest version only

  test.each(Object.entries(layouts))('rows too large for the buffer: %s', { timeout: 180_000 }, async (_, ddl) => {
    await tracked(ddl);
    const huge = `repeat(E'\\x01', 45000000)`;
    await lab.run(
      `INSERT INTO t VALUES (1, ${huge}, ${secrets}), (2, 'v', 'secret', repeat('secret', 1000000), 'secret', repeat('secret', 100000), 'secret-l')`,
    );
    await lab.run('UPDATE t SET id = id + 10; DELETE FROM t');
    await clean();
    const rows =
      await lab.sql`SELECT data - '' AS data FROM (SELECT data::jsonb AS data FROM audit.cdc WHERE data::text LIKE '%_sluice_too_large%') d`;
    expect(rows.length).toBeGreaterThan(2);
    for (const { data } of rows) expect(data._sluice_too_large).toEqual({ v: expect.any(Number) });
  });

  test('a masked value that PostgreSQL can give no text of fails nothing', { timeout: 180_000 }, async () => {
    await lab.run('CREATE TABLE t (id int PRIMARY KEY, b bytea)');
    await lab.sql`SELECT audit.track('t', '{"mask": {"b": "hash"}}')`;
    await lab.run(`INSERT INTO t VALUES (1, decode(repeat('00', 100), 'hex')); ALTER TABLE t ALTER b SET STORAGE EXTERNAL;
      UPDATE t SET b = convert_to(repeat('x', 600000000), 'UTF8')`);
    expect((await lab.sql`SELECT length(data ->> 'b') AS n FROM audit.cdc`).map(({ n }) => n)).toEqual([64, 64]);
  });
});
