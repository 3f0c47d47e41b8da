import { expect, test } from 'vitest';
import { connect, Pool } from '../../src/source/connect.ts';
import { freshDatabase } from '../support/postgres.ts';
import { sharedPostgres } from '../support/shared.ts';
import { until } from '../support/until.ts';

test('who asks again at once when the connections of a pool break is answered', async () => {
  const database = await freshDatabase(sharedPostgres());
  const admin = connect({ url: database.url, applicationName: 'admin', max: 1 });
  const pool = new Pool({ url: database.url, applicationName: 'breaks', max: 2, connectTimeout: 2 });
  const codes: string[] = [];
  /** A parameter makes the driver write twice, the second time when the server has described it. */
  const ask = async (): Promise<unknown> => pool.sql`SELECT ${1}::int AS one`.catch((error) => codes.push(error.code));
  try {
    for (let time = 1; time <= 40; time++) {
      await Promise.all([ask(), ask()]);
      const long = pool.sql`SELECT ${1}::int, pg_sleep(60)`.catch(ask);
      await until(
        'it runs',
        async () => (await admin`SELECT FROM pg_stat_activity WHERE query LIKE '%pg_sleep(60)' AND state = 'active'`).length > 0,
      );
      await admin`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'breaks'`;
      await long;
    }
    await Promise.all([ask(), ask()]);
    expect(codes).not.toContain('CONNECT_TIMEOUT');
    expect(codes.length).toBeLessThan(40);
  } finally {
    await pool.end();
    await admin.end();
    await database.drop();
  }
});
