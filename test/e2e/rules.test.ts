import { expect, test } from 'vitest';
import { deploy } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';

/** Column rules and context from sluice.yaml to the lake. */
test('what sluice.yaml excludes or masks reaches neither buffer nor lake, and track applies what changed', async () => {
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
  const { sql } = lake;
  const tables = (users: string) => lake.configure({ more: `tables: ["public.*", { table: public.users, ${users} }]\n` });
  await sql.unsafe('CREATE TABLE users (id int PRIMARY KEY, email text, password text); CREATE TABLE plain (id int PRIMARY KEY)');
  await lake.ok('install');
  await tables('exclude: [password], mask: { email: hash }');
  await lake.ok('track');
  await sql.unsafe("INSERT INTO users VALUES (1, 'secret@example.org', 'secret'); INSERT INTO plain VALUES (1)");
  const waiting = await sql`SELECT c::text AS text FROM audit.cdc c`;
  expect(waiting.map(({ text }) => text).filter((text) => text.includes('secret'))).toEqual([]);
  await lake.ok('run', '--once');
  const logged = (await lake.changes()).map(({ data }) => JSON.parse(data ?? ''));
  expect(logged).toEqual([{ id: 1, email: expect.stringMatching(/^[0-9a-f]{64}$/) }, { id: 1 }]);

  await tables('mask: { emial: hash }');
  const refused = await lake.run('track');
  expect([refused.code, refused.log]).toEqual([1, expect.stringContaining('no column emial')]);
  await sql.unsafe("UPDATE users SET password = 'secret'");
  expect((await sql`SELECT data FROM audit.cdc`)[0]?.data).not.toHaveProperty('password');

  // Only patterns: the rules stay. An object without rules takes them back.
  await lake.configure({ more: 'tables: ["public.*"]\n' });
  expect(await lake.start(['track'], { SLUICE_SOURCE_CONTEXT: 'true' }).ended).toMatchObject({ code: 0 });
  const role = new URL(lake.url).username;
  const last = async () => (await sql`SELECT data, context FROM audit.cdc ORDER BY cdc_seq DESC LIMIT 1`)[0];
  await sql.unsafe("UPDATE users SET password = 'secret'");
  expect(await last()).toEqual({
    data: { id: 1, email: logged[0].email },
    context: { role, application_name: 'deployment', context: null },
  });
  expect((await lake.ok<{ tables: { context: boolean }[] }>('status')).tables.map(({ context }) => context)).toEqual([true, true]);
  await tables('evolve: stop, types: { id: "decimal(30,8)" }');
  await lake.ok('track');
  await sql.unsafe("UPDATE users SET password = 'shown'");
  expect(await last()).toEqual({ data: { id: 1, email: 'secret@example.org', password: 'shown' }, context: null });
  const [row] = await sql`SELECT options FROM audit.tracked_table WHERE relid = 'users'::regclass`;
  expect(row?.options).toEqual({ evolve: 'stop', types: { id: 'decimal(30,8)' } });
});
