import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';

/** audit.trigger_state and audit.check_triggers: who has written to a table without its triggers is found out. */
describe.each(testVersions())('triggers that were off, on PostgreSQL %i', (version) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(version);
  });
  afterAll(() => lab[Symbol.asyncDispose]());
  beforeEach(async () => {
    await lab.reset();
    await lab.run('TRUNCATE audit.load');
  });

  const check = async () =>
    (await lab.sql`SELECT c.state FROM audit.tracked_table t CROSS JOIN LATERAL audit.check_triggers(ARRAY[t.table_id]) c`).map(
      ({ state }) => state,
    );
  const triggers = async () => (await lab.sql`SELECT triggers FROM audit.tracked_table`)[0]?.triggers;

  test.each([
    ['disabled and enabled', 'ALTER TABLE t DISABLE TRIGGER USER', 'ALTER TABLE t ENABLE TRIGGER USER'],
    [
      'dropped',
      'DO $$ BEGIN EXECUTE (SELECT format($q$DROP TRIGGER %I ON t$q$, min(tgname)) FROM pg_trigger WHERE tgname LIKE $q$sluice%$q$); END $$',
      '',
    ],
    [
      'for replicas only',
      'DO $$ BEGIN EXECUTE (SELECT format($q$ALTER TABLE t ENABLE REPLICA TRIGGER %I$q$, min(tgname)) FROM pg_trigger WHERE tgname LIKE $q$sluice%$q$); END $$',
      'ALTER TABLE t ENABLE TRIGGER USER',
    ],
  ])('%s', async (_, off, on) => {
    await lab.run('CREATE TABLE t (id int PRIMARY KEY)');
    await lab.track('t');
    expect(await check()).toEqual([]);
    await lab.run(off);
    expect(await check()).toEqual(['off']);
    expect(await check()).toEqual(['off']);
    if (on === '') await lab.track('t');
    else await lab.run(on);
    expect(await check()).toEqual(['load']);
    expect(await check()).toEqual([]);
    expect(await lab.sql`SELECT mode FROM audit.load`).toHaveLength(1);
    // Between two looks.
    if (on === '') return;
    await lab.run(`${off}; ${on}`);
    // Making them anew takes back nothing of it.
    await lab.track('t');
    expect(await check()).toEqual(['load']);
  });

  test('what changes nothing asks for nothing', async () => {
    await lab.run('CREATE TABLE t (id int PRIMARY KEY, v text)');
    await lab.track('t');
    const before = await triggers();
    await lab.track('t');
    expect(await triggers()).not.toEqual(before);
    expect(await check()).toEqual([]);
    await lab.run('ALTER TABLE t RENAME TO u; ALTER TABLE u RENAME COLUMN v TO w; ALTER TABLE u ENABLE TRIGGER USER');
    await lab.run('VACUUM FULL u');
    await lab.run('CREATE SCHEMA other; ALTER TABLE u SET SCHEMA other');
    expect(await check()).toEqual([]);
    await lab.sql`SELECT audit.track('other.u')`;
    expect(await check()).toEqual([]);
    // Tracked before this was noted.
    await lab.run('UPDATE audit.tracked_table SET triggers = NULL');
    expect(await check()).toEqual([]);
    await lab.run('UPDATE audit.tracked_table SET triggers = NULL');
    await lab.sql`SELECT audit.track('other.u')`;
    expect(await check()).toEqual([]);
    // Restored from a dump: other oids.
    await lab.run(`UPDATE audit.tracked_table SET triggers = '{"1": "x"}'`);
    await lab.sql`SELECT audit.track('other.u')`;
    expect(await check()).toEqual(['load']);
    await lab.run('DROP SCHEMA other CASCADE');
    expect(await check()).toEqual([]);
  });

  test('partitions: a new one is only noted, one that had its triggers off is not', async () => {
    await lab.run(
      'CREATE TABLE t (id int PRIMARY KEY) PARTITION BY RANGE (id); CREATE TABLE t1 PARTITION OF t FOR VALUES FROM (0) TO (10)',
    );
    await lab.track('t');
    expect(await check()).toEqual([]);
    await lab.run('CREATE TABLE t2 PARTITION OF t FOR VALUES FROM (10) TO (20)');
    expect(await check()).toEqual(['off']);
    await lab.track('t');
    expect(await check()).toEqual([]);
    await lab.run('ALTER TABLE t2 DISABLE TRIGGER USER; ALTER TABLE t2 ENABLE TRIGGER USER');
    expect(await check()).toEqual(['load']);
    await lab.run('DROP TABLE t1');
    expect(await check()).toEqual([]);
  });

  test('triggers are not enabled before all who wrote without them are through', async () => {
    await lab.run('CREATE TABLE t (id int PRIMARY KEY)');
    await lab.track('t');
    await lab.run('ALTER TABLE t DISABLE TRIGGER USER');
    const writer = await lab.sql.reserve();
    try {
      await writer`BEGIN`;
      await writer`INSERT INTO t VALUES (1)`;
      await expect(lab.run("SET lock_timeout = '100ms'; ALTER TABLE t ENABLE TRIGGER USER")).rejects.toMatchObject({ code: '55P03' });
      expect(await check()).toEqual(['off']);
      await writer`COMMIT`;
    } finally {
      writer.release();
    }
    await lab.run('RESET lock_timeout; ALTER TABLE t ENABLE TRIGGER USER');
    expect(await check()).toEqual(['load']);
  });
});
