import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { sharedPostgres } from '../support/shared.ts';
import { createScene } from './scene.ts';

/**
 * Invariant 5, as far as the log goes: a loss that the source's own crash makes unavoidable is named once, with its span, and what comes
 * after it is captured.
 */
describe('the source crashes while changes wait', () => {
  let server: TestPostgres;
  beforeAll(async () => {
    server = await startPostgres(sharedPostgres().version);
  });
  afterAll(() => server.stop());

  test.each(['before-gap', 'after-gap', 'before-epoch', 'after-epoch'] as const)('daemon killed at %s', async (point) => {
    await using scene = await createScene(server, 'DuckDB file');
    await scene.sql`INSERT INTO journal (what) VALUES ('delivered')`;
    await scene.drain();
    await scene.sql`INSERT INTO journal (what) VALUES ('lost')`;
    const [before] = await scene.sql`SELECT clock_timestamp() AS at`;
    await server.crash();
    await server.start();
    // The pool of the scene notices its dead connections one by one.
    for (let i = 0; i < 5; i++) await scene.sql`SELECT 1`.catch(() => {});

    const { signal, log } = await scene.child({ point }).ended;
    expect(signal, log).toBe('SIGKILL');
    await scene.sql`INSERT INTO journal (what) VALUES ('after')`;
    await scene.drain();

    const gaps = await scene.query('SELECT cause, from_ts < to_ts AS forward, to_ts FROM sluice.gap');
    expect(gaps).toHaveLength(1);
    expect(gaps[0]).toMatchObject({ cause: 'source_crash', forward: true });
    expect(Date.parse(String(gaps[0]?.to_ts))).toBeGreaterThanOrEqual(before?.at.getTime());
    const logged = await scene.query(`SELECT json_extract_string(data, '$.what') AS what FROM main.cdc ORDER BY batch_id, cdc_seq`);
    expect(logged.map((row) => row.what)).toEqual(['delivered', 'after']);
    expect(await scene.sql`SELECT FROM audit.sentinel JOIN audit.epoch USING (epoch)`).toHaveLength(1);
  });

  test('with a batch open, in the ledger or not: it is finished and the next one flows', async () => {
    for (const point of ['after-apply', 'after-settle'] as const) {
      await using scene = await createScene(server, 'DuckDB file');
      await scene.sql`INSERT INTO journal (what) VALUES ('first')`;
      await scene.child({ point }).ended;
      await server.crash();
      await server.start();
      for (let i = 0; i < 5; i++) await scene.sql`SELECT 1`.catch(() => {});
      await scene.sql`INSERT INTO journal (what) VALUES ('second')`;
      await scene.drain();
      const logged = await scene.query(`SELECT json_extract_string(data, '$.what') AS what FROM main.cdc ORDER BY batch_id, cdc_seq`);
      expect(logged.map((row) => row.what)).toEqual(point === 'after-apply' ? ['first', 'second'] : ['second']);
      expect(await scene.query('SELECT 1 AS one FROM sluice.gap')).toHaveLength(1);
    }
  });
});
