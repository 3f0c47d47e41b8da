import { type Job, PgBoss } from 'pg-boss';
import { expect, test } from 'vitest';
import { batchesOf, deploy } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';
import { until } from '../support/until.ts';

const JOBS = 2_000;
const BATCH = 100;

interface Work {
  readonly n: number;
  readonly fate: 'completes' | 'fails once' | 'is cancelled' | 'fails for good';
}

const FATES = ['completes', 'completes', 'completes', 'completes', 'completes', 'fails once', 'is cancelled', 'fails for good'] as const;

/**
 * An application that nobody here wrote: pg-boss, with its partitioned job table, the partitions that it makes at run time and writes to
 * directly, and its own set-wise statements.
 */
test('pg-boss works through thousands of jobs while the daemon drains: the replayed log is its tables', { timeout: 400_000 }, async () => {
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckLake on PostgreSQL' });
  const { sql } = lake;
  const boss = new PgBoss({ connectionString: lake.url, max: 4, supervise: false, schedule: false });
  const errors: unknown[] = [];
  boss.on('error', (error) => errors.push(error));
  await boss.start();
  await boss.createQueue('early', { retryLimit: 1, retryDelay: 0 });
  await boss.createQueue('early-partition', { partition: true, retryLimit: 1, retryDelay: 0 });
  await lake.ok('install');
  const { tracked, refused } = await lake.ok<{ tracked: { name: string }[]; refused: unknown[] }>('track', 'pgboss.*');
  expect(refused).toEqual([]);
  expect(tracked.map(({ name }) => name)).toContain('job');

  const daemon = lake.start(['run']);
  try {
    await runJobs(boss, 'early', JOBS * 0.3);
    await runJobs(boss, 'early-partition', JOBS * 0.3);
    // A partition that sluice has never seen: rows are captured by the triggers that PostgreSQL clones, and what is missing is named.
    await boss.createQueue('late', { retryLimit: 1, retryDelay: 0 });
    await boss.createQueue('late-partition', { partition: true, retryLimit: 1, retryDelay: 0 });
    await runJobs(boss, 'late', JOBS * 0.1);
    await runJobs(boss, 'late-partition', JOBS * 0.2);
    const [late] = await sql<{ name: string; rows: number }[]>`
      SELECT c.oid::regclass::text AS name, (SELECT count(*)::int FROM pgboss.job WHERE name = 'late-partition') AS rows
      FROM pgboss.queue q JOIN pg_class c ON c.relname = q.table_name AND c.relnamespace = 'pgboss'::regnamespace WHERE q.name = 'late-partition'`;
    expect(late?.rows).toBe(JOBS * 0.2);

    const before = await lake.run('doctor', '--json');
    expect(before.code).toBe(1);
    const found = JSON.parse(before.stdout).findings.find(({ check }: { check: string }) => check === 'pgboss.job');
    expect(found).toMatchObject({ level: 'error', remedy: expect.stringContaining('sluice track') });
    expect(found.message).toContain(late?.name);
    // While the daemon drains and jobs run.
    const [again] = await Promise.all([
      lake.ok<{ tracked: { name: string }[] }>('track', 'pgboss.*'),
      runJobs(boss, 'late-partition', JOBS * 0.1),
    ]);
    expect(again.tracked.map(({ name }) => name)).toEqual(['job']);
    const status = await lake.ok<{ tables: { name: string; problem: string | null }[] }>('status');
    expect(status.tables.filter(({ problem }) => problem !== null)).toEqual([]);

    await boss.schedule('early', '0 3 * * *', { n: 0 });
    await boss.subscribe('something', 'late');
    await boss.publish('something', { n: 0, fate: 'completes' });
    await boss.unsubscribe('something', 'late');
    await boss.supervise();
    await boss.deleteJob(
      'early',
      (await boss.findJobs('early')).slice(0, 50).map(({ id }) => id),
    );
    await boss.deleteStoredJobs('late');
  } finally {
    await boss.stop({ graceful: false, close: true });
    await until('the daemon has drained', () => batchesOf(daemon) > 0);
    daemon.process.kill('SIGTERM');
  }
  expect(await daemon.ended).toMatchObject({ code: 0 });
  expect(errors).toEqual([]);
  await lake.ok('run', '--once');

  // Queues and versions were there before `track`.
  const changes = await lake.verify({ partial: true });
  const jobs = changes.filter(({ table }) => table === 'pgboss.job');
  // In a partition newer than `track` an insert is logged as U: its row is read again.
  const sent = new Set(jobs.map(({ data }) => JSON.parse(data ?? '{}').id)).size;
  expect(sent).toBe(JOBS + 1);
  console.info(
    `pg-boss: ${sent} jobs, ${changes.length} changes of ${tally(changes.map(({ table, op }) => `${table} ${op}`))}, ${batchesOf(daemon)} batches`,
  );
});

/** How often each text occurs, for people. */
function tally(texts: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const text of texts) counts.set(text, (counts.get(text) ?? 0) + 1);
  return [...counts].map(([text, count]) => `${text} ${count}`).join(', ');
}

/** Send this many jobs and work until each has met its fate. */
async function runJobs(boss: PgBoss, queue: string, count: number): Promise<void> {
  for (let n = 0; n < count; n += BATCH) {
    const jobs = Array.from({ length: BATCH }, (_, at): { data: Work } => ({
      data: { n: n + at, fate: FATES[at % FATES.length] ?? 'completes' },
    }));
    // The two ways in: one at a time, and many at once.
    for (const { data } of jobs.slice(0, 10)) await boss.send(queue, data);
    await boss.insert(queue, jobs.slice(10));
  }
  const failed = new Set<string>();
  for (;;) {
    const fetched = await boss.fetch<Work>(queue, { batchSize: BATCH });
    if (fetched.length === 0) return;
    const of = (fate: Work['fate']) => ids(fetched.filter(({ data }) => data.fate === fate));
    const again = of('fails once').filter((id) => failed.has(id));
    const first = of('fails once').filter((id) => !failed.has(id));
    for (const id of first) failed.add(id);
    const [completes, cancelled, fails] = [[...of('completes'), ...again], of('is cancelled'), [...first, ...of('fails for good')]];
    await Promise.all([
      completes.length > 0 && boss.complete(queue, completes, { done: true }),
      cancelled.length > 0 && boss.cancel(queue, cancelled),
      fails.length > 0 && boss.fail(queue, fails, { message: 'as it was told' }),
    ]);
  }
}

const ids = (jobs: readonly Job<Work>[]) => jobs.map(({ id }) => id);
