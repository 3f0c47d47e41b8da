import { randomBytes } from 'node:crypto';
import { describe, expect, test } from 'vitest';
import type { Child } from '../support/child.ts';
import { batchesOf, type Deployment, deploy, LAKES, logLines } from '../support/deployment.ts';
import { startPostgres } from '../support/postgres.ts';
import { sharedPostgres } from '../support/shared.ts';
import { describeOnSmallDisk } from '../support/small-disk.ts';
import { until } from '../support/until.ts';

/** What a running daemon does when something that it needs goes away in the middle of a batch, and when it is told to stop there. */
async function ready(lake: Deployment): Promise<void> {
  await lake.sql`CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)`;
  await lake.ok('install');
  await lake.ok('track', 'public.*');
}

const write = (lake: Deployment, count = 100) =>
  lake.sql`INSERT INTO item (v) SELECT md5(g::text) FROM generate_series(1, ${count}::int) g`;

interface Held {
  readonly child: Child;
  /** Let the batch go on. */
  release(): Promise<void>;
}

/** A batch that is open, and a daemon that can't read it: in the middle of a batch for as long as the test needs. */
async function holdInMidBatch(lake: Deployment): Promise<Held> {
  await write(lake);
  await lake.sql`SELECT audit.swap(10000)`;
  const session = await lake.sql.reserve();
  await session.unsafe('BEGIN; LOCK TABLE audit.cdc_old IN ACCESS EXCLUSIVE MODE');
  const child = lake.start(['run']);
  await until('the daemon waits for the batch', async () => {
    expect(child.process.exitCode, child.log()).toBeNull();
    return (await lake.sql`SELECT FROM pg_locks WHERE relation = 'audit.cdc_old'::regclass AND NOT granted`).length > 0;
  });
  return {
    child,
    release: async () => {
      await session.unsafe('COMMIT');
      session.release();
    },
  };
}

const says = (child: Child, code: string) => () => logLines(child).some((line) => line.level === 'warn' && line.code === code);

/** It lives, and every warning says what to do and shows no password. */
function expectPatient(lake: Deployment, child: Child): void {
  expect(child.process.exitCode, child.log()).toBeNull();
  for (const { level, remedy } of logLines(child)) if (level === 'warn') expect(remedy).toMatch(/\w/);
  expect(child.log()).not.toContain(new URL(lake.url).password);
}

async function stopped(child: Child): Promise<void> {
  child.process.kill('SIGTERM');
  const { code, log } = await child.ended;
  expect(code, log).toBe(0);
}

/** Wait until the daemon has brought everything, then stop it and compare. */
async function recovers(lake: Deployment, child: Child): Promise<void> {
  await until('all is in the lake', async () => {
    expectPatient(lake, child);
    // Sessions that the outage killed are noticed one by one.
    const [row] = await lake.sql`SELECT EXISTS (SELECT FROM audit.cdc) OR EXISTS (SELECT FROM audit.cdc_old) AS waits`.catch(() => []);
    return row?.waits === false;
  });
  await stopped(child);
  await lake.ok('run', '--once');
  const changes = await lake.verify();
  expect(changes.filter(({ op }) => op === 'I')).toHaveLength(Number((await lake.sql`SELECT count(*) AS n FROM item`)[0]?.n));
  expect(await lake.ok('query', 'SELECT * FROM sluice.gap')).toEqual([]);
}

test('the catalog goes down in the middle of a batch and comes back', async () => {
  await using catalog = await startPostgres(sharedPostgres().version);
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckLake on PostgreSQL', catalog });
  await ready(lake);
  const daemon = lake.start(['run']);
  try {
    await write(lake);
    await until('a first batch', () => batchesOf(daemon) > 0);
    await stopped(daemon);
    const { child, release } = await holdInMidBatch(lake);
    try {
      await catalog.halt();
      await release();
      await until('it says so', says(child, 'lake_unreachable'));
      await write(lake);
      const status = await lake.run('status', '--json');
      expect(status.code).toBe(1);
      const seen = JSON.parse(status.stdout);
      expect(seen).toMatchObject({ running: true, lake: { error: { code: 'lake_unreachable' } } });
      expect(seen.lag).toBeGreaterThan(0);
      expect(status.stdout).not.toContain(new URL(lake.url).password);
      expectPatient(lake, child);
      await catalog.start();
      await recovers(lake, child);
      expect(logLines(child).some(({ recovered }) => recovered)).toBe(true);
    } finally {
      child.process.kill('SIGKILL');
    }
  } finally {
    daemon.process.kill('SIGKILL');
  }
});

test.each(LAKES)('the source goes down in the middle of a batch and comes back, %s: a clean shutdown loses nothing', async (kind) => {
  await using server = await startPostgres(sharedPostgres().version);
  await using lake = await deploy(server, { kind, catalog: sharedPostgres() });
  await ready(lake);
  const { child } = await holdInMidBatch(lake);
  try {
    // Waits beside the batch that is open.
    await write(lake);
    // Ends the session that holds the batch as well.
    await server.halt();
    // What breaks first decides: the connection that reads, or the one that leads.
    await until('it says so', says(child, 'source_unreachable'));
    expectPatient(lake, child);
    await server.start();
    await recovers(lake, child);
    expect(logLines(child).some(({ recovered }) => recovered)).toBe(true);
  } finally {
    child.process.kill('SIGKILL');
  }
});

describe('signals in the middle of a batch', () => {
  test('the first SIGTERM lets the batch finish and ends with 0, the second ends the process at once; neither loses anything', async () => {
    await using lake = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
    await ready(lake);
    for (const signals of [1, 2]) {
      const { child, release } = await holdInMidBatch(lake);
      child.process.kill('SIGTERM');
      await until('the first signal is heard', () => child.log().includes('a second signal stops at once'));
      expect(child.process.exitCode, 'it finishes the batch first').toBeNull();
      if (signals === 2) {
        child.process.kill('SIGTERM');
        expect(await child.ended).toMatchObject({ signal: 'SIGTERM' });
        await release();
        expect(await lake.sql`SELECT FROM audit.batch WHERE state = 'open'`).toHaveLength(1);
      } else {
        await release();
        expect(await child.ended).toMatchObject({ code: 0 });
        expect(batchesOf(child)).toBe(1);
        expect(await lake.sql`SELECT FROM audit.batch WHERE state = 'open'`).toHaveLength(0);
      }
    }
    expect(await lake.ok('run', '--once')).toMatchObject({ batches: 1, rows: 100 });
    expect(await lake.verify()).toHaveLength(200);
  });
});

describeOnSmallDisk('a full disk', (small) => {
  test.each(LAKES)('%s: the daemon says so, keeps trying, and goes on when there is space', async (kind) => {
    await using lake = await deploy(sharedPostgres(), { kind, lakeFolder: small.disk });
    await ready(lake);
    const daemon = lake.start(['run']);
    try {
      await write(lake);
      await until('a first batch', () => batchesOf(daemon) > 0);
      const free = await small.fill();
      // What compression can't shrink below the space that is left.
      const noise = Array.from({ length: 60 }, () => randomBytes(30_000).toString('base64'));
      await lake.sql`INSERT INTO item (v) SELECT unnest(${noise}::text[])`;
      await until('it says so', says(daemon, 'lake_full'));
      expectPatient(lake, daemon);
      expect(daemon.log()).not.toContain(noise[0]?.slice(0, 50));
      await write(lake);
      await free();
      await recovers(lake, daemon);
    } finally {
      daemon.process.kill('SIGKILL');
    }
  });
});
