import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';

/** Who made a change and why, captured with it where the table is tracked so. */
describe.each(testVersions())('context of changes on PostgreSQL %i', (version) => {
  let lab: Lab;
  const role = `sluice_app_${version}_${Math.random().toString(36).slice(2, 8)}`;
  beforeAll(async () => {
    lab = await openLab(version);
    await lab.run(`CREATE ROLE ${role} LOGIN PASSWORD 'app'; CREATE ROLE ${role}_group; GRANT ${role}_group TO ${role}`);
  });
  afterAll(async () => {
    await lab.reset();
    await lab.run(`DROP OWNED BY ${role}, ${role}_group; DROP ROLE ${role}, ${role}_group`);
    await lab[Symbol.asyncDispose]();
  });
  beforeEach(() => lab.reset());

  const contexts = async () =>
    (await lab.sql`SELECT cdc_op::text AS op, context FROM audit.cdc ORDER BY cdc_seq`).map((row) => ({ ...row }));
  const layouts = {
    plain: 'CREATE TABLE t (id int PRIMARY KEY, v text)',
    partitioned: 'CREATE TABLE t (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE t0 PARTITION OF t DEFAULT',
  };

  describe.each(Object.entries(layouts))('%s', (_, ddl) => {
    beforeEach(async () => {
      await lab.run(`${ddl}; GRANT ALL ON t TO ${role}, ${role}_group`);
    });

    test('off: null, also after it was on', async () => {
      await lab.track('t');
      await lab.run('INSERT INTO t VALUES (1)');
      await lab.sql`SELECT audit.track('t', NULL, true)`;
      await lab.sql`SELECT audit.track('t')`;
      await lab.run('INSERT INTO t VALUES (2)');
      await lab.sql`SELECT audit.track('t', NULL, false)`;
      await lab.run('INSERT INTO t VALUES (3)');
      expect((await contexts()).map(({ context }) => context === null)).toEqual([true, false, true]);
    });

    test("the application's role, not the definer's; application_name and what it says, in every way of capture", async () => {
      await lab.sql`SELECT audit.track('t', NULL, true)`;
      const session = lab.session({ user: role });
      await session.unsafe("SET application_name = 'shop'; INSERT INTO t VALUES (1), (2)");
      await session.unsafe(`BEGIN; SET LOCAL sluice.context = '{"user": 17, "why": ["\\u0000", "ü"]}'; UPDATE t SET v = 'a'; UPDATE t SET id = 5 WHERE id = 1; DELETE FROM t;
        SET LOCAL ROLE ${role}_group; TRUNCATE t; COMMIT`);
      await session.unsafe('INSERT INTO t VALUES (3)');
      const by = { role, application_name: 'shop' };
      const why = { user: 17, why: ['\u0000', 'ü'] };
      const rows = await contexts();
      expect(
        rows
          .map(({ op }) => op)
          .sort()
          .join(''),
      ).toMatch(/^DDDIIIT+UUU$/);
      expect(rows[0]).toEqual({ op: 'I', context: { ...by, context: null } });
      for (const { op, context } of rows.slice(2, -1))
        expect(context).toEqual({ ...by, role: op === 'T' ? `${role}_group` : role, context: why });
      expect(rows.at(-1)).toEqual({ op: 'I', context: { ...by, context: null } });
    });

    test.each([
      ['no JSON', '{"a": 1'],
      ['a lone word', 'because'],
      ['deep', '['.repeat(100_000)],
      ['long', `"${'x'.repeat(20_000)}"`],
      ['JSON of odd characters', '{"a": "\\ud800", "b": "\\\\"}'],
    ])('what is %s fails nothing', async (name, text) => {
      await lab.sql`SELECT audit.track('t', NULL, true)`;
      await lab.sql.begin(async (tx) => {
        await tx`SELECT set_config('sluice.context', ${text}, true)`;
        await tx`INSERT INTO t VALUES (1)`;
        await tx`UPDATE t SET id = 2`;
      });
      const said = await lab.sql`SELECT context::text AS text FROM audit.cdc`;
      const kept = name.startsWith('JSON') ? text : JSON.stringify(text.slice(0, 8192));
      for (const row of said) expect(row.text).toContain(`"context" : ${kept}}`);
    });
  });
});
