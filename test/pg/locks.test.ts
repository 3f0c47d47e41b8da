import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { listTables, PostgresSource, readStatus, type Sql } from '../../src/source/index.ts';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';

const LOCK_TIMEOUT_MS = 50;

/**
 * Invariant 4 where the application holds tables exclusively for long: an ALTER or TRUNCATE that has not committed yet. What we read of its tables
 * waits for none of them; where it can't be read without a lock, we give up before anybody who waits for us would notice.
 */
describe.each(testVersions())('tables that the application has locked, on PostgreSQL %i', (version) => {
  let lab: Lab;
  let source: PostgresSource;
  let holder: Sql;
  let ids: number[];
  beforeAll(async () => {
    lab = await openLab(version);
    source = new PostgresSource({ url: lab.url, lockTimeoutMs: LOCK_TIMEOUT_MS });
    await lab.run(`CREATE TABLE plain (a int PRIMARY KEY, b text); CREATE TABLE ruled (a int PRIMARY KEY, b text);
      CREATE TABLE part (a int PRIMARY KEY, b text) PARTITION BY RANGE (a);
      CREATE TABLE part_0 PARTITION OF part FOR VALUES FROM (0) TO (10);
      CREATE TABLE part_1 PARTITION OF part DEFAULT PARTITION BY HASH (a);
      CREATE TABLE part_2 PARTITION OF part_1 FOR VALUES WITH (MODULUS 1, REMAINDER 0)`);
    ids = (await lab.track('plain', 'part')).map(({ id }) => id);
    const [ruled] = await lab.sql<{ table_id: number }[]>`SELECT table_id FROM audit.track('ruled', '{"exclude": ["b"]}'::jsonb)`;
    ids.push(ruled?.table_id ?? 0);
    holder = lab.session();
  });
  afterAll(async () => {
    await source[Symbol.asyncDispose]();
    await lab[Symbol.asyncDispose]();
  });

  /** While `statement` of the application is not committed. Whatever waits for it does so until this test times out. */
  const during = async (statement: string, work: () => Promise<void>) => {
    await holder.unsafe(`BEGIN; ${statement}`);
    try {
      await work();
    } finally {
      await holder.unsafe('ROLLBACK');
    }
  };

  test.each(['TRUNCATE plain, ruled, part', 'ALTER TABLE part_2 SET (fillfactor = 90); TRUNCATE part_2', 'DROP TABLE plain, ruled, part'])(
    'after %s the daemon and status see all tables and wait for none',
    (statement) =>
      during(statement, async () => {
        await lab.run('UPDATE audit.tracked_table SET context = NOT context');
        await source.refresh(ids);
        expect((await source.look()).sentinel).toBe(true);
        expect([...(await source.catalogue()).versions.keys()].sort()).toEqual([...ids].sort());
        const { tables } = await readStatus(lab.sql);
        expect(tables.map(({ name, problem }) => [name, problem]).sort()).toEqual([
          ['part', null],
          ['plain', null],
          ['ruled', null],
        ]);
        expect(await source.checkTriggers(ids)).toEqual([]);
        expect((await source.tables(ids.filter((_, at) => at !== 1))).map(({ key }) => key)).toEqual([[1], [1]]);
      }),
  );

  test('a partition that is locked: who wants another one does not wait for us, and is not told of a deadlock', () =>
    during('TRUNCATE part_2', async () => {
      const waiting = expect(source.tables(ids)).rejects.toMatchObject({ code: '55P03' });
      const listing = expect(listTables(lab.sql)).rejects.toMatchObject({ code: '55P03' });
      await lab.session().unsafe("SET lock_timeout = '2s'; TRUNCATE part_0, plain");
      await holder.unsafe('TRUNCATE part_0, plain, ruled');
      await Promise.all([waiting, listing]);
      // On the connections that saw the error.
      expect(await Promise.all([source.look(), source.look()])).toEqual(Array(2).fill({ pending: true, sentinel: true, requested: false }));
    }));
});
