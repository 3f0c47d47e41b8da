import postgres from 'postgres';
import { describe, expect, test } from 'vitest';
import { freshDatabase, startPostgres, testVersions } from '../support/postgres.ts';
import { sharedPostgres } from '../support/shared.ts';

describe.each(testVersions())('PostgreSQL %i for tests', (version) => {
  test('is the version it says, and a fresh database is empty and goes away', async () => {
    const server = sharedPostgres(version);
    const database = await freshDatabase(server);
    const sql = postgres(database.url, { max: 1 });
    expect((await sql`show server_version`)[0]?.server_version).toMatch(new RegExp(`^${version}\\.`));
    expect(await sql`select 1 from pg_tables where schemaname = 'public'`).toHaveLength(0);
    await sql.end();
    await database.drop();
    const gone = postgres(database.url, { max: 1 });
    await expect(gone`select 1`).rejects.toMatchObject({ code: '3D000' });
    await gone.end();
  });

  test('crash() empties UNLOGGED tables and keeps the others; halt() keeps both', async () => {
    await using server = await startPostgres(version, { settings: { work_mem: '5MB' } });
    const count = async () => {
      const sql = postgres(server.url, { max: 1 });
      const [row] =
        await sql`select (select count(*)::int from lost) lost, (select count(*)::int from kept) kept, current_setting('work_mem') mem`;
      await sql.end();
      return row;
    };
    const sql = postgres(server.url, { max: 1 });
    await sql`create unlogged table lost as select 1 as x`;
    await sql`create table kept as select 1 as x`;
    await sql.end();
    await server.halt();
    await server.start();
    expect(await count()).toEqual({ lost: 1, kept: 1, mem: '5MB' });
    await server.crash();
    await server.start();
    expect(await count()).toEqual({ lost: 0, kept: 1, mem: '5MB' });
  });
});
