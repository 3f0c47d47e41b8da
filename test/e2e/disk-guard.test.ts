import { setTimeout as sleep } from 'node:timers/promises';
import { expect, test } from 'vitest';
import { deploy, logLines } from '../support/deployment.ts';
import { startPostgres } from '../support/postgres.ts';
import { expectReplayEqualsTable } from '../support/replay.ts';
import { sharedPostgres } from '../support/shared.ts';
import { expectStateEqualsTable } from '../support/state.ts';
import { until } from '../support/until.ts';

const MB = 1_000_000;

test('the lake is away under load: the buffer is bounded, the application goes on, capture comes back, the gap is named', async () => {
  await using catalog = await startPostgres(sharedPostgres().version);
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckLake on PostgreSQL', catalog });
  const { sql } = lake;
  await lake.configure({ more: 'disk_guard: { limit: 4MB, tables: ["public.*", "!public.dear"] }\n' });
  await sql.unsafe(
    'CREATE TABLE bulk (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text, n int DEFAULT 0); CREATE TABLE dear (id int PRIMARY KEY)',
  );
  await lake.ok('install');
  await lake.ok('track', 'public.*');
  const bufferBytes = async () =>
    Number((await sql`SELECT pg_total_relation_size('audit.cdc') + pg_total_relation_size('audit.cdc_old') AS n`)[0]?.n);
  const problem = async (name: string) => (await sql`SELECT problem FROM audit.status WHERE table_name = ${name}`)[0]?.problem;
  let [written, slowest, stopped] = [0, 0, false];
  /** About 1 MB a second; any error of the application's fails the test. */
  const load = (async () => {
    for (let i = 0; !stopped; i += 1) {
      const begun = performance.now();
      await sql`INSERT INTO bulk (v) SELECT repeat(md5(g::text), 6) FROM generate_series(1, 100) g`;
      await sql`UPDATE bulk SET n = n + 1 WHERE id IN (SELECT id FROM bulk ORDER BY id DESC LIMIT 50)`;
      await sql`INSERT INTO dear VALUES (${i})`;
      slowest = Math.max(slowest, performance.now() - begun);
      written += 1;
      await sleep(40);
    }
  })();
  const daemon = lake.start(['run']);
  try {
    await until('a batch', () => daemon.log().includes('batch done'));
    await catalog.halt();
    const away = Date.now();
    await until('it is paused', async () => (await problem('bulk')) === 'paused');
    expect(Date.now() - away).toBeGreaterThan(4_000);
    expect(await problem('dear')).toBeNull();
    const atPause = await bufferBytes();
    expect(atPause).toBeGreaterThan(4 * MB);
    const before = written;
    await until('as much again was written', () => written > before + 100);
    const later = await bufferBytes();
    // What was written until the function was replaced everywhere, and the table that must not be paused.
    expect(later - atPause, `${atPause} → ${later}`).toBeLessThan(MB / 2);
    const status = JSON.parse((await lake.run('status', '--json')).stdout);
    expect(status.tables).toMatchObject([
      { name: 'bulk', problem: 'paused', details: [expect.stringMatching(/^since 20/)] },
      { name: 'dear', problem: null },
    ]);
    await catalog.start();
    await until('it is resumed and the gap is named', async () => (await problem('bulk')) === null);
    // Captured again.
    const [last] = await sql`SELECT max(id) AS id FROM bulk`;
    await until('more is written', async () => Number((await sql`SELECT max(id) AS id FROM bulk`)[0]?.id) > last?.id + 200);
    stopped = true;
    await load;
    expect(daemon.process.exitCode, daemon.log()).toBeNull();
    daemon.process.kill('SIGTERM');
    expect((await daemon.ended).code).toBe(0);
    await lake.ok('run', '--once');
    expect(logLines(daemon).filter(({ level, msg }) => level === 'error' && /disk_guard|paused/.test(msg))).toHaveLength(2);
    // Neither the swaps nor the pause made it wait: the longest of three statements, on a machine that has other work.
    expect(slowest).toBeLessThan(2_000);

    const [bulk] = await sql`SELECT table_id::int AS id, tracked_at FROM audit.tracked_table WHERE table_name = 'bulk'`;
    const gaps = await lake.ok<Record<string, unknown>[]>('query', 'SELECT *, tables::VARCHAR AS ids FROM sluice.gap');
    expect(gaps).toMatchObject([
      { cause: 'paused', ids: `[${bulk?.id}]`, closed_ts: expect.stringMatching(/^20/), after_xid: expect.any(Number) },
    ]);
    expect(Date.parse(String(gaps[0]?.from_ts))).toBeGreaterThan(away);
    expect(Date.parse(String(gaps[0]?.to_ts))).toBeGreaterThan(Date.parse(String(gaps[0]?.from_ts)));
    const changes = await lake.changes();
    await expectReplayEqualsTable(sql, { changes, tables: ['public.dear'] });
    // What the lake lacks lies in the span, and what came after it is there.
    const ids = new Set(
      changes.filter(({ table, op }) => table === 'public.bulk' && op === 'I').map(({ data }) => JSON.parse(String(data)).id),
    );
    const all = (await sql`SELECT id FROM bulk ORDER BY id`).map(({ id }) => id as number);
    const lost = all.filter((id) => !ids.has(id));
    expect(lost.length).toBeGreaterThan(5_000);
    expect(lost.at(-1)).toBeLessThan(last?.id + 100);
    // The repair has brought them.
    await lake.reading(async (query) => {
      for (const table of ['bulk', 'dear']) await expectStateEqualsTable(sql, query, 'public', table);
    });
    expect((lost.at(-1) ?? 0) - (lost[0] ?? 0) + 1, 'one span').toBe(lost.length);
  } finally {
    stopped = true;
    await load.catch(() => {});
    daemon.process.kill('SIGKILL');
  }
});
