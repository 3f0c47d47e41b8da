import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { install, PostgresSource, readStatus } from '../../src/source/index.ts';
import { daemonRole, type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';
import { until } from '../support/until.ts';

/** audit.pause, resume, paused_spans and forget_pause, as the daemon's role calls them. */
describe.each(testVersions())('a pause of capture on PostgreSQL %i', (version) => {
  let lab: Lab;
  let source: PostgresSource;
  let role: Awaited<ReturnType<typeof daemonRole>>;
  beforeAll(async () => {
    lab = await openLab(version);
    role = await daemonRole(lab);
    source = new PostgresSource({ url: role.url, lockTimeoutMs: 50 });
  });
  afterAll(async () => {
    await source[Symbol.asyncDispose]();
    await role.drop();
    await lab[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await lab.reset();
    await lab.run(`CREATE TABLE t (id int PRIMARY KEY, v int); CREATE TABLE p (id int PRIMARY KEY) PARTITION BY LIST (id);
      CREATE TABLE p_1 PARTITION OF p FOR VALUES IN (1, 2, 3); CREATE TABLE u (id int PRIMARY KEY)`);
    await lab.track('t', 'p', 'u');
  });

  const idsOf = async (...names: string[]) =>
    (await lab.sql`SELECT table_id AS id FROM audit.tracked_table WHERE table_name = ANY (${names}) AND relid IS NOT NULL ORDER BY 1`).map(
      (row) => Number(row.id),
    );
  const problems = async () => Object.fromEntries((await readStatus(lab.sql)).tables.map(({ name, problem }) => [name, problem]));

  test('nothing is logged but TRUNCATE, by whatever makes the functions anew; the others are captured', async () => {
    const ids = await idsOf('t', 'p');
    await source.pause(ids);
    await source.pause(ids);
    const write = `INSERT INTO t VALUES (1, 1), (2, 2); UPDATE t SET v = 3 WHERE id = 1; DELETE FROM t WHERE id = 2;
      INSERT INTO p VALUES (1), (2); INSERT INTO p_1 VALUES (3); DELETE FROM p; DELETE FROM t; INSERT INTO u VALUES (1); DELETE FROM u`;
    const silent = async () => {
      await lab.run(write);
      expect(await lab.logged()).toEqual(['I u {"id":1}', 'D u {"id":1}']);
      await lab.run('TRUNCATE audit.cdc');
      expect(await problems()).toEqual({ t: 'paused', p: 'paused', u: null });
    };
    await silent();
    await source.refresh(ids);
    await silent();
    await install(lab.url);
    await silent();
    await lab.track('t', 'p');
    await silent();
    expect((await readStatus(lab.sql)).tables.map(({ stale }) => stale)).toEqual([false, false, false]);
    expect(await source.pausedSpans()).toEqual([]);
    await lab.run('TRUNCATE t');
    expect(await lab.logged()).toEqual(['T t null']);
    await lab.run('TRUNCATE audit.cdc');

    await source.resume(ids);
    await source.resume(ids);
    expect(await source.captures()).toEqual(
      ['t', 'p', 'u'].map((name) => ({ id: expect.any(Number), schema: 'public', name, paused: name === 'u' ? 'no' : 'ended' })),
    );
    await lab.run(write);
    expect(await lab.logged()).toHaveLength(13);
    const [span, ...more] = await source.pausedSpans();
    expect(more).toEqual([]);
    expect(span?.tables).toEqual(ids);
    expect(Date.parse(span?.from ?? '')).toBeLessThan(Date.parse(span?.to ?? ''));
    // Asked again, it is the same gap.
    expect(await source.pausedSpans()).toEqual([span]);
    if (span) await source.forgetPause(span);
    expect(await source.pausedSpans()).toEqual([]);
    expect(await problems()).toEqual({ t: null, p: null, u: null });
  });

  test('a session that is in the middle of it: captured until the pause, and again after it; its statements leave no trace', async () => {
    const ids = await idsOf('t');
    const session = lab.session();
    await session`INSERT INTO t VALUES (1, 1)`;
    await session.begin(async (tx) => {
      await tx`INSERT INTO t VALUES (2, 2)`;
      await source.pause(ids);
      // The function is looked up anew with the next lock that the session takes.
      await tx`SELECT FROM u`;
      for (let i = 0; i < 20; i += 1) await tx`UPDATE t SET v = v + 1 WHERE id = 2`;
      const [row] = await tx`SELECT current_setting(${`sluice.t${ids[0]}`}, true) AS stack`;
      expect(row?.stack ?? '').toBe('');
      await source.resume(ids);
      await tx`SELECT FROM p`;
      await tx`UPDATE t SET v = 0 WHERE id = 1`;
    });
    expect(await lab.logged()).toEqual(['I t {"id":1,"v":1}', 'I t {"id":2,"v":2}', 'U t {"id":1,"v":0}']);
  });

  test('the number of the gap is above that of every transaction that may still be unlogged', async () => {
    const ids = await idsOf('t');
    const [running, sleeping] = [lab.session(), lab.session()];
    await source.pause(ids);
    const end = Promise.withResolvers<void>();
    let number = 0n;
    // One that has its number, and one that locks the table and gets its number only after the pause has ended.
    const wrote = running.begin(async (tx) => {
      await tx`INSERT INTO t VALUES (1, 1)`;
      number = BigInt((await tx`SELECT pg_current_xact_id()::text AS xid`)[0]?.xid);
      await end.promise;
    });
    await until('it has written', () => number > 0n);
    const holder = lab.session();
    await holder`SELECT pg_advisory_lock(8)`;
    let late = 0n;
    const writes = sleeping.begin(async (tx) => {
      await tx`INSERT INTO t SELECT 2, 2 FROM (SELECT pg_advisory_lock_shared(8) OFFSET 0) s`;
      late = BigInt((await tx`SELECT pg_current_xact_id()::text AS xid`)[0]?.xid);
      await end.promise;
    });
    await until(
      'it waits',
      async () => (await lab.sql`SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 8 AND NOT granted`).length > 0,
    );
    await source.resume(ids);
    // Numbers go on meanwhile.
    await lab.run('INSERT INTO u VALUES (1); DELETE FROM u');
    expect(await source.pausedSpans()).toEqual([]);
    await holder`SELECT pg_advisory_unlock(8)`;
    await until('it has a number', () => late > 0n);
    const [span] = await source.pausedSpans();
    expect(span?.tables).toEqual(ids);
    const after = BigInt(span?.afterXid ?? 0);
    expect(after > late && after > number).toBe(true);
    const oldest = async () => BigInt((await lab.sql`SELECT pg_snapshot_xmin(pg_current_snapshot())::text AS xmin`)[0]?.xmin);
    expect((await oldest()) < after).toBe(true);
    end.resolve();
    await Promise.all([wrote, writes]);
    // The server runs transactions of other tests, too.
    await until('none may be unlogged any more', async () => (await oldest()) >= after);
    if (span) await source.forgetPause(span);
  });

  test('paused again before its gap is named: the pause goes on, and nothing of it is forgotten', async () => {
    const ids = await idsOf('t');
    await source.pause(ids);
    await source.resume(ids);
    const [first] = await source.pausedSpans();
    await source.pause(ids);
    expect(await source.pausedSpans()).toEqual([]);
    if (first) await source.forgetPause(first);
    expect(await problems()).toMatchObject({ t: 'paused' });
    await source.resume(ids);
    const [second] = await source.pausedSpans();
    expect(second?.from).toBe(first?.from);
    expect(Date.parse(second?.to ?? '')).toBeGreaterThanOrEqual(Date.parse(first?.to ?? ''));
    expect(second?.afterXid).not.toBe(first?.afterXid);
  });

  test('a writer waits for none of it, and a table that is locked or untracked stands in the way of none', async () => {
    const ids = await idsOf('t', 'u');
    const session = lab.session();
    await session`SET lock_timeout = '50ms'`;
    await lab.sql.begin(async (tx) => {
      await tx`LOCK TABLE t IN ACCESS EXCLUSIVE MODE`;
      await source.pause(ids);
      await source.resume(ids);
    });
    await source.pause(ids);
    await lab.run('DROP TABLE t');
    await lab.run(`SELECT audit.untrack('u')`);
    await source.resume(ids);
    const spans = await source.pausedSpans();
    expect(spans.flatMap(({ tables }) => tables)).toEqual(ids);
    for (const span of spans) await source.forgetPause(span);
    expect(await source.captures()).toEqual([{ id: expect.any(Number), schema: 'public', name: 'p', paused: 'no' }]);
  });
});
