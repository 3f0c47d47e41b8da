import { readFileSync } from 'node:fs';
import { drainOnce } from '../src/daemon/index.ts';
import { attachStatement } from '../src/lake/config.ts';
import { literal } from '../src/lake/sql.ts';
import { drain } from '../src/pipeline/index.ts';
import { connect } from '../src/source/index.ts';
import { freshDatabase } from '../test/support/postgres.ts';
import { barChart } from './chart.ts';
import { type Lab, lakeBytes, median, peakOfDaemon, timed, trackTable, withEngineOf, withLab } from './lab.ts';
import { type Profiled, profiled } from './profile.ts';
import type { Figure, Goal, Scale, Section } from './result.ts';
import { ratios } from './stats.ts';
import { fillWide, makeWide } from './wide.ts';

interface Sample {
  /** PostgreSQL's own binary COPY of the batch to nothing, milliseconds. */
  readonly copyMs: number;
  /** From the look at the buffer until the batch is done at the source. */
  readonly drainMs: number;
  /** Until the lake has committed, without typing, typed log and state. */
  readonly logMs: number;
  /** Of this process. */
  readonly cpuMs: number;
  readonly lakeBytes: number;
  readonly statements: readonly Profiled[];
}

const SIDES = {
  copyMs: 'binary COPY of the buffer to nothing',
  naiveMs: 'naive, log only',
  logMs: 'sluice, what the log takes of it',
  drainMs: 'sluice, log + typed log + state',
};

/**
 * How long a full buffer takes to be queryable in a DuckLake, against the floor: PostgreSQL's own binary COPY of the same rows to nothing. A batch of INSERTs, and one
 * of UPDATEs (5 of 7) and DELETEs of the same rows, 100 transactions each. Naive: the buffer is renamed away and made anew, and inserted into a table of the lake
 * through DuckDB's `postgres` extension. In turns. Then once more by a daemon of its own, for its RSS.
 */
export function delivery(scale: Scale): Promise<Section> {
  const rows = scale === 'quick' ? 20_000 : 1_000_000;
  const rounds = scale === 'quick' ? 1 : 5;
  return withLab(async (lab) => {
    const { sql, composition } = lab;
    const { ports } = composition;
    await makeWide(sql);
    await trackTable(sql, 'wide');
    // The table's load, still empty, is no part of it.
    await drainOnce({ ports, log: ports.log });
    const inserts: Sample[] = [];
    const changes: Sample[] = [];
    const naive: number[] = [];
    await using other = await makeNaive(lab);
    for (let round = 0; round <= rounds; round++) {
      // The first round warms caches.
      const n = round === 0 ? 1_000 : rows;
      const from = round * rows + 1;
      const part = Math.max(1, Math.floor(n / 100));
      for (let at = 0; at < n; at += part) await fillWide(sql, { from: from + at, rows: part });
      const insert = await sample(lab);
      for (let at = from; at < from + n; at += part) {
        await sql.begin(async (tx) => {
          await tx`UPDATE wide SET a = a + 1, e = md5(e) || d WHERE id >= ${at} AND id < ${at + part} AND b < 5`;
          await tx`DELETE FROM wide WHERE id >= ${at} AND id < ${at + part} AND b >= 5`;
        });
      }
      const change = await sample(lab);
      const naiveMs = await other.round(n);
      if (round === 0) continue;
      inserts.push(insert);
      changes.push(change);
      naive.push(naiveMs);
    }
    await fillWide(sql, { from: (rounds + 1) * rows + 1, rows });
    const rssMb = await peakOfDaemon(lab);
    return section(rows, { inserts, changes, naive, rssMb });
  });
}

async function sample(lab: Lab): Promise<Sample> {
  const { sql } = lab;
  const { ports } = lab.composition;
  const copyMs = await timed(
    () =>
      sql`COPY (SELECT cdc_seq, cdc_xid::text::int8, cdc_ts, cdc_op::text, table_id, data::text FROM audit.cdc) TO '/dev/null' (FORMAT binary)`,
  );
  const before = await lakeBytes(lab);
  const cpu = process.cpuUsage();
  let statements: Profiled[] = [];
  const started = performance.now();
  let committedMs = Number.NaN;
  const at = (point: string) => {
    if (point === 'after-apply') committedMs = performance.now() - started;
  };
  const drainMs = await timed(async () => {
    statements = await profiled(() => drain({ ...ports, at }));
  });
  const { user, system } = process.cpuUsage(cpu);
  const logMs = statements.filter(({ sql: text }) => TYPED.test(text)).reduce((left, { ms }) => left - ms, committedMs);
  return { copyMs, drainMs, logMs, cpuMs: (user + system) / 1000, lakeBytes: (await lakeBytes(lab)) - before, statements };
}

/** What typing, typed log and state take of a batch; the rest is the log's. */
const TYPED = /"typed_|typed_last|"wide"/;

/** The naive design beside ours: a database of its own on the same server, a table of its own in the same lake. */
async function makeNaive(lab: Lab): Promise<AsyncDisposable & { round(rows: number): Promise<number> }> {
  const { url } = await freshDatabase(lab.server);
  const sql = connect({ url, applicationName: 'bench', max: 1 });
  await makeWide(sql);
  await sql.unsafe(readFileSync(new URL('source/naive.sql', import.meta.url), 'utf8'));
  await sql`CREATE TRIGGER capture AFTER INSERT OR UPDATE OR DELETE ON wide FOR EACH ROW EXECUTE FUNCTION audit.capture()`;
  let made = false;
  return {
    round: async (rows) => {
      await sql`TRUNCATE wide`;
      await fillWide(sql, { rows });
      return await withEngineOf(lab, async (engine, lake) => {
        await engine.run(attachStatement(lake, 'write'));
        await engine.run(`ATTACH ${literal(url)} AS source (TYPE postgres)`);
        const columns = 'cdc_uuid UUID, cdc_ts TIMESTAMPTZ, cdc_op VARCHAR, table_schema VARCHAR, table_name VARCHAR, data VARCHAR';
        if (!made) await engine.run(`CREATE TABLE lake.main.naive (dl_ts TIMESTAMPTZ, ${columns})`);
        made = true;
        return await timed(async () => {
          await sql.unsafe(
            'BEGIN; ALTER TABLE audit.cdc RENAME TO cdc_taken; CREATE UNLOGGED TABLE audit.cdc (LIKE audit.cdc_taken INCLUDING ALL); COMMIT',
          );
          await engine.run(
            "INSERT INTO lake.main.naive SELECT now(), * FROM postgres_query('source', 'SELECT cdc_uuid, cdc_ts, cdc_op, table_schema, table_name, data::text FROM audit.cdc_taken')",
          );
          await engine.run('DETACH source');
          await sql`DROP TABLE audit.cdc_taken`;
        });
      });
    },
    [Symbol.asyncDispose]: () => sql.end(),
  };
}

function section(
  rows: number,
  { inserts, changes, naive, rssMb }: { inserts: readonly Sample[]; changes: readonly Sample[]; naive: readonly number[]; rssMb: number },
): Section {
  const of = (samples: readonly Sample[], key: 'copyMs' | 'drainMs' | 'logMs' | 'cpuMs' | 'lakeBytes') => samples.map((one) => one[key]);
  const times = (name: string, samples: readonly Sample[], more: Record<string, readonly number[]> = {}): Figure => ({
    name,
    unit: 'ms',
    base: SIDES.copyMs,
    sides: { [SIDES.copyMs]: of(samples, 'copyMs'), ...more, [SIDES.logMs]: of(samples, 'logMs'), [SIDES.drainMs]: of(samples, 'drainMs') },
  });
  const [one, other] = [times('A batch of INSERTs', inserts, { [SIDES.naiveMs]: naive }), times('A batch of UPDATEs and DELETEs', changes)];
  const goals = (name: string, samples: readonly Sample[]): Goal[] => [
    {
      text: `${name}, of the binary COPY`,
      sense: 'at most',
      limit: 3.5,
      unit: '×',
      values: ratios(of(samples, 'drainMs'), of(samples, 'copyMs')),
    },
    { text: name, sense: 'at least', limit: 300_000, unit: 'changes/s', values: of(samples, 'drainMs').map((ms) => (1000 * rows) / ms) },
  ];
  const perMillion = (samples: readonly Sample[]) => of(samples, 'cpuMs').map((ms) => (ms / rows) * 1000);
  const perChange = (samples: readonly Sample[]) => of(samples, 'lakeBytes').map((bytes) => bytes / rows);
  const slow = (samples: readonly Sample[]) =>
    (samples.at(-1)?.statements ?? [])
      .filter(({ ms }) => ms > (samples.at(-1)?.drainMs ?? 0) / 100)
      .map(({ ms, cpuMs, sql: text }) => `| ${Math.round(ms)} | ${Math.round(cpuMs)} | \`${text.replaceAll('|', '\\|').slice(0, 90)}\` |`);
  const profile = (name: string, samples: readonly Sample[]) =>
    [
      `Statements of the lake that took a hundredth of the last batch of ${name}:`,
      '',
      '| ms | CPU, ms | |',
      '|---|---|---|',
      ...slow(samples),
    ].join('\n');
  const cost = (name: string, unit: string, pick: (samples: readonly Sample[]) => number[]): Figure => ({
    name,
    unit,
    sides: { INSERTs: pick(inserts), 'UPDATEs and DELETEs': pick(changes) },
  });
  return {
    name: 'delivery',
    title: 'Delivery of a full buffer',
    about: `${rows.toLocaleString('en-US')} changes in 100 transactions wait, on a table of ten columns; from the look at the buffer until the batch is done at the source, against a binary COPY of the
same rows to nothing. The log's part is the time until the lake's commit without the statements of typing, typed log and state. Naive: the buffer is renamed away and made anew, and inserted into the lake through
DuckDB's \`postgres\` extension.`,
    figures: [
      one,
      other,
      cost('CPU of the daemon', 's a million changes', perMillion),
      cost('Growth of the lake (log, typed log, state)', 'bytes a change', perChange),
    ],
    charts: [barChart('delivery', `${rows.toLocaleString('en-US')} waiting INSERTs, ms`, one)],
    goals: [
      ...goals('INSERTs to log, typed log and state', inserts),
      ...goals('UPDATEs and DELETEs to log, typed log and state', changes),
      { text: 'RSS of a daemon that drains a batch', sense: 'at most', limit: 512, unit: 'MB', values: [rssMb] },
    ],
    notes: [
      profile('INSERTs', inserts),
      profile('UPDATEs and DELETEs', changes),
      `Least time of a drain: ${Math.round(Math.min(...of(inserts, 'drainMs')))} ms; median ${Math.round(median(of(inserts, 'drainMs')))} ms.`,
    ],
  };
}
