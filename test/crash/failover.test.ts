import { describe, expect, test } from 'vitest';
import { connect, install, type Sql } from '../../src/source/index.ts';
import { type Deployment, deploy } from '../support/deployment.ts';
import { begin, deliver, expectGaps, now, reconnected } from '../support/gaps.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { sharedPostgres } from '../support/shared.ts';
import { BASEBACKUP, type Standby, startStandby } from '../support/standby.ts';
import { until } from '../support/until.ts';

/** The daemon is only given the new address. */
describe.skipIf(BASEBACKUP === undefined)(`failover to an asynchronous standby${BASEBACKUP ? '' : ' (no pg_basebackup here)'}`, () => {
  interface Scene {
    readonly primary: TestPostgres;
    readonly standby: Standby;
    readonly lake: Deployment;
    /** The standby's database. */
    readonly sql: Sql;
    /** Give the daemon the standby's address. */
    moveOver(): Promise<void>;
  }

  /** A first batch is on both servers. */
  async function scene(stack: AsyncDisposableStack, buffer: 'unlogged' | 'logged' = 'unlogged'): Promise<Scene> {
    const primary = stack.use(await startPostgres(15));
    const lake = stack.use(await deploy(primary, { kind: 'DuckLake on PostgreSQL', catalog: sharedPostgres() }));
    await begin(lake);
    await install(lake.url, { buffer });
    const standby = stack.use(await startStandby(primary));
    await standby.catchUp();
    const url = new URL(lake.url);
    url.port = String(standby.port);
    const sql = connect({ url: url.href, applicationName: 'test', max: 2 });
    stack.defer(() => sql.end({ timeout: 1 }));
    return { primary, standby, lake, sql, moveOver: () => lake.configure({ url: url.href }) };
  }

  test('promoted while behind: the lake is ahead by two batches, and the buffer is empty', async () => {
    await using stack = new AsyncDisposableStack();
    const { primary, standby, lake, sql, moveOver } = await scene(stack);
    await lake.sql`INSERT INTO item (v) VALUES ('in both, captured, not delivered')`;
    await standby.catchUp();
    await standby.halt();
    await deliver(lake, 'second, of the primary alone');
    const lost = await now(lake.sql);
    await deliver(lake, 'third, of the primary alone');
    const [seq] = await lake.ok<{ last: number }[]>('query', 'SELECT max(last_seq) AS last FROM sluice.batch');
    await primary.crash();
    await standby.start();
    await moveOver();

    // Not promoted yet: the daemon waits for it.
    const daemon = lake.start(['run']);
    try {
      await until('the daemon waits', () => daemon.log().includes('source_read_only'));
      await standby.promote();
      await until('the daemon has named the gap', async () => {
        expect(daemon.process.exitCode, daemon.log()).toBeNull();
        return (await sql`SELECT FROM audit.sentinel JOIN audit.epoch USING (epoch)`).length === 1;
      });
    } finally {
      daemon.process.kill('SIGTERM');
      await daemon.ended;
    }
    expect(Number((await sql`SELECT last_value FROM audit.cdc_seq`)[0]?.last_value)).toBeGreaterThan(Number(seq?.last));
    await expectGaps(lake, [{ cause: 'failover', around: lost }], sql);

    // A crash of the new primary is a crash.
    const crashed = await now(sql);
    await standby.crash();
    await standby.start();
    await reconnected(sql);
    const failover = { cause: 'failover', around: lost };
    await expectGaps(lake, [failover, { cause: 'source_crash', around: crashed }], sql);
  });

  test.each([
    ['nothing is lost where it has what the lake has', []],
    ['and where it has not, the lake is ahead', ['failover']],
  ])('to a standby with a logged buffer: %s', async (_, causes) => {
    await using stack = new AsyncDisposableStack();
    const { primary, standby, lake, sql, moveOver } = await scene(stack, 'logged');
    await lake.sql`INSERT INTO item (v) VALUES ('in both, captured, not delivered')`;
    await standby.catchUp();
    await standby.halt();
    if (causes.length > 0) await deliver(lake, 'of the primary alone');
    const lost = await now(lake.sql);
    await lake.sql`INSERT INTO item (v) VALUES ('of the primary alone, not delivered')`;
    await primary.crash();
    await standby.start();
    await standby.promote();
    await moveOver();
    await expectGaps(
      lake,
      causes.map((cause) => ({ cause, around: lost })),
      sql,
    );
    const logged = await lake.ok<{ v: string }[]>('query', "SELECT data ->> 'v' AS v FROM main.cdc WHERE data ->> 'v' LIKE 'in both%'");
    expect(logged.map(({ v }) => v)).toContain('in both, captured, not delivered');
  });
});
