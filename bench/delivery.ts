import { drain } from '../src/pipeline/index.ts';
import { type Lab, median, peakOfDaemon, timed, trackTable, withLab } from './lab.ts';
import { type Profiled, profiled } from './profile.ts';
import { fillWide, makeWide } from './wide.ts';

export interface Delivery {
  /** Milliseconds of PostgreSQL's own binary COPY of the batch to nothing: the floor. */
  readonly copyMs: readonly number[];
  /** Of a daemon that runs: from its look at the buffer until the batch is done at the source too. */
  readonly drainMs: readonly number[];
  /** Until the lake has committed, without typing, typed log and state: how long the changes take to reach main.cdc. */
  readonly logMs: readonly number[];
  readonly ratio: number;
  readonly logRatio: number;
  /** CPU of the process that drains, in milliseconds. */
  readonly cpuMs: number;
  /** Every statement of the last batch that took a hundredth of its time. */
  readonly statements?: readonly Profiled[];
}

/**
 * How long a full buffer takes to be queryable in a DuckLake (log, typed log, state, ledger), against the floor: PostgreSQL's own binary COPY of the same
 * rows to nothing. All in one run, alternating. A batch of INSERTs, and one of UPDATEs (5 of 7) and DELETEs of the same rows. Then once more by
 * a daemon of its own, whose highest RSS is `rssMb`.
 */
export function delivery({ rows = 1_000_000, rounds = 3, profile = process.argv.includes('--profile') } = {}): Promise<{
  rows: number;
  inserts: Delivery;
  changes: Delivery;
  rssMb: number;
}> {
  return withLab(async (lab) => {
    const { sql } = lab;
    await makeWide(sql);
    await trackTable(sql, 'wide');
    await lab.composition.ports.source.lead();
    const inserts: Sample[] = [];
    const changes: Sample[] = [];
    const change = async (from: number) => {
      await sql`UPDATE wide SET a = a + 1, e = md5(e) || d WHERE id >= ${from} AND b < 5`;
      await sql`DELETE FROM wide WHERE id >= ${from} AND b >= 5`;
    };
    for (let round = 0; round <= rounds; round++) {
      // The first round warms caches and makes the lake's tables.
      const n = round === 0 ? 1000 : rows;
      await fillWide(sql, { from: round * rows + 1, rows: n });
      inserts[round] = await sample(lab);
      await change(round * rows + 1);
      changes[round] = await sample(lab);
    }
    await fillWide(sql, { from: (rounds + 1) * rows + 1, rows });
    const rssMb = await peakOfDaemon(lab);
    return { rows, inserts: summary(inserts.slice(1), profile), changes: summary(changes.slice(1), profile), rssMb };
  });
}

interface Sample {
  readonly copyMs: number;
  readonly drainMs: number;
  readonly committedMs: number;
  readonly cpuMs: number;
  readonly statements: readonly Profiled[];
}

async function sample({ sql, composition: { ports } }: Lab): Promise<Sample> {
  const copyMs = await timed(
    () =>
      sql`COPY (SELECT cdc_seq, cdc_xid::text::int8, cdc_ts, cdc_op::text, table_id, data::text FROM audit.cdc) TO '/dev/null' (FORMAT binary)`,
  );
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
  return { copyMs, drainMs, committedMs, cpuMs: (user + system) / 1000, statements };
}

/** What typing, typed log and state take; the rest is what issue 3 calls the log's delivery. */
const TYPED = /"typed_|typed_last|"wide"/;

function summary(samples: readonly Sample[], profile: boolean): Delivery {
  const logMs = samples.map(({ committedMs, statements }) =>
    statements.filter(({ sql }) => TYPED.test(sql)).reduce((left, { ms }) => left - ms, committedMs),
  );
  const last = samples.at(-1);
  return {
    copyMs: samples.map(({ copyMs }) => Math.round(copyMs)),
    drainMs: samples.map(({ drainMs }) => Math.round(drainMs)),
    logMs: logMs.map(Math.round),
    ratio: median(samples.map(({ drainMs, copyMs }) => drainMs / copyMs)),
    logRatio: median(samples.map(({ copyMs }, at) => (logMs[at] ?? Number.NaN) / copyMs)),
    cpuMs: Math.round(median(samples.map(({ cpuMs }) => cpuMs))),
    ...(profile && last ? { statements: last.statements.filter(({ ms }) => ms > last.drainMs / 100) } : {}),
  };
}
