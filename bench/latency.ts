import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import { connect } from '../src/source/index.ts';
import type { TestPostgres } from '../test/support/postgres.ts';
import { toolFolder } from '../test/support/tools.ts';
import { cpuSeconds, type Lab, lakeBytes, median, quantile, startServer, trackTable, withDaemon, withLabOn, withLake } from './lab.ts';
import { peakMb } from './profile.ts';
import type { Chart, Figure, Scale, Section } from './result.ts';

/** A transaction of two changes. */
const SCRIPT = `\\set id random(1, 100000)
BEGIN;
UPDATE item SET n = n + 1 WHERE id = :id;
INSERT INTO journal (item, note) VALUES (:id, 'a note of some length');
COMMIT;
`;
const CHANGES_EACH = 2;
const RATES = [100, 1_000, 2_000, 5_000];
const INTERVALS = [100, 250, 1_000];
/** The case that the goals are about. */
const GOAL = { rate: 2_000, intervalMs: 100 };
/** Left out at the beginning of each run: the daemon's engine warms up. */
const WARM_MS = 2_000;

interface Case {
  readonly rate: number;
  readonly intervalMs: number;
}

/** What one run of a case has shown. */
type Seen = Record<
  'p50' | 'p95' | 'p99' | 'batches' | 'applyMs' | 'cpuPercent' | 'cpuPerMillion' | 'rssMb' | 'fileBytes' | 'catalogBytes',
  number
>;

/**
 * How long a change takes from the commit of its transaction (pg_xact_commit_timestamp) until the lake has committed it, after which every query sees it, while
 * pgbench writes at a fixed rate. The daemon is a process of its own; its log says when a batch was applied, a moment after the commit. Each run has a database
 * and a lake of its own.
 */
export async function latency(scale: Scale): Promise<Section> {
  const { seconds, rounds } = scale === 'quick' ? { seconds: 2, rounds: 1 } : { seconds: 10, rounds: 2 };
  const cases: Case[] = scale === 'quick' ? [GOAL] : INTERVALS.flatMap((intervalMs) => RATES.map((rate) => ({ rate, intervalMs })));
  await using server = await startServer({ track_commit_timestamp: 'on' });
  const seen = cases.map((): Seen[] => []);
  for (let round = 0; round < rounds; round++) {
    for (const [at, one] of cases.entries()) seen[at]?.push(await measure(server, one, seconds));
  }
  const name = ({ rate, intervalMs }: Case) => `${rate.toLocaleString('en-US')}/s each ${intervalMs} ms`;
  const figure = (title: string, unit: string, of: keyof Seen): Figure => ({
    name: title,
    unit,
    sides: Object.fromEntries(cases.map((one, at) => [name(one), (seen[at] ?? []).map((values) => values[of])])),
  });
  const ofGoal = seen[cases.findIndex(({ rate, intervalMs }) => rate === GOAL.rate && intervalMs === GOAL.intervalMs)] ?? [];
  const goal = (of: 'p50' | 'p99', limit: number) => ({
    text: `commit to queryable in the lake at ${name(GOAL)}, ${of}`,
    sense: 'at most' as const,
    limit,
    unit: 'ms',
    values: ofGoal.map((values) => values[of]),
  });
  return {
    name: 'latency',
    title: 'From commit to queryable',
    about: `pgbench commits transactions of an UPDATE and an INSERT at a fixed rate (\`synchronous_commit=off\`) for ${seconds} s; a daemon with the given
\`batch.interval\` brings them into a DuckLake. From the commit's timestamp at the source until the lake has committed, of every change. Source, catalog and lake on this machine.`,
    figures: [
      figure('Half of the changes within', 'ms', 'p50'),
      figure('95 % of the changes within', 'ms', 'p95'),
      figure('99 % of the changes within', 'ms', 'p99'),
      figure('Batches', '/s', 'batches'),
      figure('Batch in the lake, of it', 'ms', 'applyMs'),
      figure('CPU of the daemon', '% of a core', 'cpuPercent'),
      figure('CPU per million changes', 's', 'cpuPerMillion'),
      figure('Highest resident memory', 'MB', 'rssMb'),
      figure("Lake's files", 'bytes/change', 'fileBytes'),
      figure("Lake's catalog", 'bytes/change', 'catalogBytes'),
    ],
    charts: scale === 'quick' ? [] : [chartOf(cases, seen)],
    goals: [goal('p50', 120), goal('p99', 300)],
  };
}

function chartOf(cases: readonly Case[], seen: readonly (readonly Seen[])[]): Chart {
  const line = (intervalMs: number, of: 'p50' | 'p95' | 'p99') => ({
    name: `${of}, each ${intervalMs} ms`,
    points: cases.flatMap((one, at) =>
      one.intervalMs === intervalMs ? [[one.rate, median((seen[at] ?? []).map((values) => values[of]))] as const] : [],
    ),
  });
  return {
    name: 'latency',
    title: 'From commit to queryable, by changes per second and interval',
    kind: 'line',
    x: { label: 'changes per second', log: true },
    y: { label: 'ms', log: true },
    series: INTERVALS.flatMap((intervalMs) => [line(intervalMs, 'p50'), line(intervalMs, 'p95'), line(intervalMs, 'p99')]),
  };
}

function measure(server: TestPostgres, { rate, intervalMs }: Case, seconds: number): Promise<Seen> {
  return withLabOn(server, async (lab) => {
    const { sql } = lab;
    await sql.unsafe(`CREATE TABLE item (id int PRIMARY KEY, n int, t text);
      CREATE TABLE journal (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, item int, note text);
      INSERT INTO item SELECT g, 0, md5(g::text) FROM generate_series(1, 100000) g`);
    for (const name of ['item', 'journal']) await trackTable(sql, name);
    const applied = new Map<number, { readonly at: number; readonly ms: number }>();
    const onLine = ({ msg, time, batchId, ms }: Readonly<Record<string, unknown>>) => {
      if (msg === 'batch applied') applied.set(Number(batchId), { at: Date.parse(String(time)), ms: Number(ms) });
    };
    const run = await withDaemon(lab, { interval: `${intervalMs}ms`, onLine }, async (pid) => {
      await untilLoaded(lab);
      const bytes = { files: await lakeBytes(lab), catalog: await catalogBytes(lab) };
      const cpu = await cpuSeconds(pid);
      const began = Date.now();
      await write(lab, rate, seconds + WARM_MS / 1000);
      await untilDrained(lab);
      const cpuTaken = (await cpuSeconds(pid)) - cpu;
      const taken = (Date.now() - began) / 1000;
      const grown = { files: (await lakeBytes(lab)) - bytes.files, catalog: (await catalogBytes(lab)) - bytes.catalog };
      return { began, cpuTaken, taken, grown, rssMb: peakMb(pid) };
    });
    const changes = await readChanges(lab);
    const from = run.began + WARM_MS;
    const latencies = changes.flatMap(({ committed, batch, many }) => {
      const at = applied.get(batch)?.at;
      if (at === undefined) throw new Error(`the daemon did not say when it applied batch ${batch}`);
      return committed < from ? [] : new Array<number>(many).fill(at - committed);
    });
    if (latencies.length === 0) throw new Error('nothing was measured');
    const all = changes.reduce((sum, { many }) => sum + many, 0);
    const measured = [...applied.values()].filter(({ at }) => at >= from);
    return {
      p50: quantile(latencies, 0.5),
      p95: quantile(latencies, 0.95),
      p99: quantile(latencies, 0.99),
      batches: measured.length / seconds,
      applyMs: median(measured.map(({ ms }) => ms)),
      cpuPercent: (100 * run.cpuTaken) / run.taken,
      cpuPerMillion: (1_000_000 * run.cpuTaken) / all,
      rssMb: run.rssMb,
      fileBytes: run.grown.files / all,
      catalogBytes: run.grown.catalog / all,
    };
  });
}

/** Changes that the lake has, by transaction and batch; committed: in milliseconds of the epoch. */
async function readChanges(lab: Lab): Promise<{ committed: number; batch: number; many: number }[]> {
  const rows = await withLake(lab, (lake) =>
    lake.rows('SELECT cdc_xid AS xid, batch_id AS batch, count(*) AS many FROM lake.main.cdc WHERE cdc_xid > 0 GROUP BY ALL'),
  );
  const xids = `{${rows.map(({ xid }) => xid).join(',')}}`;
  // The second half of the numbers is out of reach of a server that has just been made: an xid8 is an xid.
  const [found] = await lab.sql<{ at: (number | null)[] }[]>`
    SELECT json_agg(extract(epoch FROM pg_xact_commit_timestamp(x.xid::xid)) * 1000 ORDER BY x.place) AS at
    FROM unnest(${xids}::text[]) WITH ORDINALITY AS x (xid, place)`;
  return rows.map(({ xid, batch, many }, index) => {
    const committed = found?.at[index];
    if (committed == null) throw new Error(`transaction ${xid} has no time`);
    return { committed, batch: Number(batch), many: Number(many) };
  });
}

async function write({ url }: Lab, rate: number, seconds: number): Promise<void> {
  const programs = toolFolder('pgbench');
  if (programs === undefined) throw new Error('pgbench is not here: it comes with Debian’s package postgresql');
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  try {
    const script = join(folder, 'script.sql');
    await writeFile(script, SCRIPT);
    const args = ['-n', '-c', '2', '-T', String(seconds), '-R', String(rate / CHANGES_EACH), '-f', script, url];
    await promisify(execFile)(join(programs, 'pgbench'), args, { env: { ...process.env, PGOPTIONS: '-c synchronous_commit=off' } });
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function untilLoaded({ sql }: Lab): Promise<void> {
  for (;;) {
    const [row] = await sql<{ n: number }[]>`SELECT count(*)::int AS n FROM audit.load WHERE done_at IS NOT NULL`;
    if (row?.n === 2) return;
    await sleep(50);
  }
}

async function untilDrained({ sql }: Lab): Promise<void> {
  for (;;) {
    const [row] = await sql<{ waits: boolean }[]>`
      SELECT EXISTS (SELECT FROM audit.cdc) OR EXISTS (SELECT FROM audit.batch WHERE state = 'open') AS waits`;
    if (row?.waits === false) return;
    await sleep(20);
  }
}

async function catalogBytes({ catalogUrl }: Lab): Promise<number> {
  const sql = connect({ url: catalogUrl, applicationName: 'bench', max: 1 });
  try {
    const [row] = await sql<{ bytes: number }[]>`SELECT pg_database_size(current_database())::float8 AS bytes`;
    return row?.bytes ?? Number.NaN;
  } finally {
    await sql.end();
  }
}
