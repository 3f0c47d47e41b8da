import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';

/** Tables and rows of unusual shape: hostile names, 1,600 columns, very large values. */
describe.each(testVersions())('captured shapes on PostgreSQL %i', (version) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(version);
  });
  afterAll(() => lab[Symbol.asyncDispose]());
  beforeEach(() => lab.reset());

  const q = (name: string) => `"${name.replaceAll('"', '""')}"`;
  const hostile = [
    '"; DROP TABLE t; --',
    "'; DROP SCHEMA audit CASCADE; --",
    'a"b"',
    "it's",
    '100%s %I %L %1$I %%',
    'back\\slash\\',
    '$$ $x$ $1 {x}',
    'Ünïcödé 表 🐘',
    ' ',
    'x'.repeat(63),
    'new_rows',
    'select',
    'a.b',
    'line\nbreak',
  ];

  test.each(hostile)('schema, table, columns and key called %j', async (name) => {
    for (const [suffix, tail] of [
      ['', ''],
      ['p', ` PARTITION BY RANGE (${q(name)})`],
    ]) {
      const table = `${q(name)}.${suffix ? 'p' : q(name)}`;
      await lab.run(`CREATE SCHEMA IF NOT EXISTS ${q(name)}; CREATE TABLE ${table} (${q(name)} int PRIMARY KEY, v text)${tail}`);
      if (suffix) await lab.run(`CREATE TABLE ${q(name)}.${q(`${name.slice(0, 20)}_`)} PARTITION OF ${table} DEFAULT`);
      await lab.sql`SELECT audit.track(${table}::regclass)`;
      const key = q(name);
      await lab.run(`INSERT INTO ${table} VALUES (1, 'a'), (2, 'b'); UPDATE ${table} SET ${key} = ${key} + 5; UPDATE ${table} SET v = 'x';
        WITH d AS (DELETE FROM ${table} RETURNING *) INSERT INTO ${table} SELECT * FROM d LIMIT 1; DELETE FROM ${table} WHERE ${key} = 99`);
      await lab.check();
      if (suffix) {
        await lab.run(`TRUNCATE ${q(name)}.${q(`${name.slice(0, 20)}_`)}`);
        await lab.check();
      }
      expect((await lab.sql`SELECT problem FROM audit.status`).every(({ problem }) => problem === null)).toBe(true);
      expect((await lab.sql`SELECT audit.untrack(${table}::regclass) AS was`)[0]?.was).toBe(true);
      expect(await lab.sql`SELECT 1 FROM pg_trigger WHERE tgname LIKE 'sluice%'`).toHaveLength(0);
      await lab.run('TRUNCATE audit.cdc');
    }
  });

  test('columns called as everything that capture names inside, key among them', async () => {
    const names = [
      'new',
      'old',
      'data',
      'select',
      'n',
      'o',
      'r',
      's',
      't',
      'k',
      'image',
      'tid',
      'stack',
      'setting',
      'letter',
      'again',
      'logged',
      'new_rows',
      'old_rows',
      'cdc_op',
      'table_id',
      'tracked',
      'whole',
      'dirty',
      'op',
      'key',
      'row',
    ];
    const columns = names.map(q);
    for (const [table, tail] of [
      ['t', ''],
      ['p', ' PARTITION BY LIST (k)'],
    ]) {
      await lab.run(
        `CREATE TABLE ${table} (${columns.map((name) => `${name} int`).join(', ')}, big text, PRIMARY KEY (k, "new", t, tid))${tail}`,
      );
      if (tail) await lab.run('CREATE TABLE p1 PARTITION OF p DEFAULT');
      await lab.track(table ?? '');
      await lab.run(`INSERT INTO ${table} SELECT ${names.map((_, i) => `g + ${i}`).join(', ')} FROM generate_series(1, 3) g; UPDATE ${table} SET "select" = 7; UPDATE ${table} SET k = k + 1, "new" = 5;
        WITH d AS (DELETE FROM ${table} RETURNING *) INSERT INTO ${table} SELECT * FROM d LIMIT 1`);
      await lab.check();
    }
  });

  test.each(['', 'PARTITION BY RANGE (c1)'])('1,600 columns %s: insert, update, key change, keys read again', async (partitioned) => {
    const numbers = Array.from({ length: 1600 }, (_, i) => i + 1);
    await lab.run(`CREATE TABLE t (${numbers.map((i) => `c${i} int2`).join(', ')}, PRIMARY KEY (c1, c2)) ${partitioned}`);
    if (partitioned) await lab.run('CREATE TABLE t1 PARTITION OF t DEFAULT');
    await lab.track('t');
    await lab.run(`INSERT INTO t VALUES (${numbers.join(', ')}), (${numbers.map((i) => (i === 1 ? 2 : i)).join(', ')})`);
    await lab.run(`UPDATE t SET c1600 = 5; UPDATE t SET c1 = c1 + 10; WITH d AS (DELETE FROM t RETURNING *) INSERT INTO t SELECT * FROM d LIMIT 1;
      CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF pg_trigger_depth() < 2 THEN UPDATE t SET c3 = c3 + 1; END IF; RETURN NULL; END $$;
      CREATE TRIGGER aa AFTER UPDATE ON t FOR EACH ROW EXECUTE FUNCTION again(); UPDATE t SET c4 = 1`);
    await lab.check();
  });

  const lengths = async () =>
    (
      await lab.sql`SELECT cdc_op::text AS op, octet_length(data::text) AS bytes, data ->> 'id' AS id, data -> '_sluice_too_large' AS lost FROM audit.cdc ORDER BY cdc_seq`
    ).map((row) => ({ ...row }));

  if (version !== Math.max(...testVersions())) return; // half a minute of JSON: on the newest version only

  test('a text of 100 MB is kept, also where keys are read again', { timeout: 180_000 }, async () => {
    await lab.run('CREATE TABLE t (id int PRIMARY KEY, x text)');
    await lab.track('t');
    await lab.run("INSERT INTO t VALUES (1, repeat('0123456789', 10000000)); UPDATE t SET id = 2");
    const [inserted, ...moved] = await lengths();
    expect([inserted?.op, inserted?.lost]).toEqual(['I', null]);
    expect(inserted?.bytes).toBeGreaterThan(100_000_000);
    expect(moved.map(({ op, id, lost }) => [op, id, lost]).sort()).toEqual([
      ['D', '1', null],
      ['U', '2', null],
    ]);
  });

  // 45 million control characters are 270 MB of JSON, above the 256 MB that a reader takes; 180 million are more than PostgreSQL can build.
  // Each statement on such a row builds its JSON two times or more, a second each, so each kind of table has only what is its own.
  test.each([
    [45, '', ['UPDATE', 'DELETE']],
    [45, 'PARTITION BY RANGE (id)', ['UPDATE']],
    [180, '', []],
  ])('a row too large for the buffer fails nothing and is named: %i MB of text %s', { timeout: 180_000 }, async (millions, tail, then) => {
    await lab.run(`CREATE TABLE t (id int PRIMARY KEY, small text, x text) ${tail}`);
    if (tail) await lab.run('CREATE TABLE t1 PARTITION OF t DEFAULT');
    await lab.track('t');
    await lab.run(`INSERT INTO t VALUES (1, 'kept', repeat(E'\\x01', ${millions}000000))`);
    if (then.includes('UPDATE')) await lab.run('UPDATE t SET id = 2'); // read again
    if (then.includes('DELETE')) await lab.run('DELETE FROM t');
    await lab.run('INSERT INTO t VALUES (3)');
    const rows = await lengths();
    const named = (op: string, id: string) => rows.find((row) => row.op === op && row.id === id)?.lost;
    const large = { x: expect.any(Number) };
    expect(named('I', '1')).toEqual(large);
    if (then.includes('UPDATE')) expect([named('U', '2'), rows.some((row) => row.op === 'D' && row.id === '1')]).toEqual([large, true]);
    if (then.includes('DELETE')) expect(named('D', '2')).toEqual(large);
    expect(named('I', '3')).toBeNull();
    expect(
      (await lab.sql`SELECT data ->> 'small' AS small, data ->> 'x' AS x FROM audit.cdc ORDER BY cdc_seq LIMIT 1`).map((row) => ({
        ...row,
      })),
    ).toEqual([{ small: 'kept', x: null }]);
  });
});
