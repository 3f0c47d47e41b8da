import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { connect, type Sql } from '../../src/source/index.ts';
import { daemonRole, type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';

/** audit.direct_rows_sql: what a role may run itself is what audit.read_rows gives it, and only where it may. */
describe.each(testVersions())('rows that a role reads by itself on PostgreSQL %i', (version) => {
  let lab: Lab;
  let sql: Sql;
  let role: Awaited<ReturnType<typeof daemonRole>>;
  beforeAll(async () => {
    lab = await openLab(version);
    role = await daemonRole(lab);
    sql = connect({ url: role.url, applicationName: 'direct', max: 1 });
  });
  afterAll(async () => {
    await sql.end({ timeout: 1 });
    await role.drop();
    await lab[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await lab.reset();
    await lab.run(`CREATE TABLE item (id bigint PRIMARY KEY, "odd ""name" text, amount numeric(12, 2), gone int, doc jsonb);
      ALTER TABLE item DROP COLUMN gone; INSERT INTO item SELECT g, 'row ' || g, g / 7.0, '{}' FROM generate_series(1, 2000) g;
      INSERT INTO item VALUES (0, NULL, 'NaN', NULL)`);
    await lab.track('item');
  });

  const NATIVE = { 1: 'native', 2: 'native', 3: 'native' };
  const directOf = async (ways: object, { first = 0, pages = 1000, placed = false, relation = 'item' } = {}) => {
    const [row] = await sql<{ direct: string | null }[]>`
      SELECT audit.direct_rows_sql(table_id, ${relation}::regclass::oid, ${JSON.stringify(ways)}::text::jsonb, ${first}, ${pages}, ${placed}, '{3}') AS direct
      FROM audit.tracked_table WHERE relid IS NOT NULL AND table_name = 'item'`;
    return row?.direct ?? null;
  };

  test('null without the right to read, under row security, with rules, for texts of settings, where names may mean something else', async () => {
    expect(await directOf(NATIVE)).toBeNull();
    await lab.run(`GRANT SELECT (id) ON item TO ${role.name}`);
    expect(await directOf(NATIVE)).toBeNull();
    await lab.run(`GRANT SELECT ON item TO ${role.name}`);
    expect(await directOf(NATIVE)).toContain('FROM ONLY public.item r');
    expect(await directOf({ ...NATIVE, 5: 'json' })).toBeNull();
    expect(await directOf({ 1: 'guarded' })).toBeNull();
    await sql`SET search_path = public, pg_catalog`;
    expect(await directOf(NATIVE)).toBeNull();
    await sql`RESET search_path`;
    await sql`CREATE TEMP TABLE mine ()`;
    expect(await directOf(NATIVE)).not.toBeNull();
    await lab.run('ALTER TABLE item ENABLE ROW LEVEL SECURITY');
    expect(await directOf(NATIVE)).toBeNull();
    await lab.run('ALTER TABLE item DISABLE ROW LEVEL SECURITY');
    await lab.sql`SELECT audit.track('item', ${JSON.stringify({ mask: { 'odd "name': 'hash' } })}::text::jsonb)`;
    expect(await directOf(NATIVE)).toBeNull();
  });

  test('the same rows as of audit.read_rows, in each range of pages', async () => {
    await lab.run(`GRANT SELECT ON item TO ${role.name}`);
    let rows = 0;
    for (const [first, pages] of [
      [0, 5],
      [5, 1],
      [6, 1000],
    ] as const) {
      for (const placed of [false, true]) {
        const direct = await sql.unsafe((await directOf(NATIVE, { first, pages, placed })) ?? '').values();
        const called = await sql
          .unsafe(
            `SELECT r.* FROM audit.tracked_table t, audit.read_rows(t.table_id, t.relid::oid, '${JSON.stringify(NATIVE)}', ${first}, ${pages}, NULL, ${placed}, '{3}')
             AS r (${placed ? 'place text, ' : ''}id bigint, name text, amount numeric(12, 2), odd boolean)`,
          )
          .values();
        expect(direct).toEqual(called);
        rows += direct.length;
      }
    }
    expect(rows).toBe(2 * 2001);
  });
});
