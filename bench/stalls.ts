import { setTimeout as sleep } from 'node:timers/promises';
import { connect } from '../src/source/index.ts';
import { barChart } from './chart.ts';
import { type Lab, quantile, trackTable, withDaemon, withLab } from './lab.ts';
import type { Figure, Scale, Section } from './result.ts';

const SIDES = ['without daemon', 'with daemon'] as const;
type Side = (typeof SIDES)[number];

const CLIENTS = 2;

/**
 * What an application feels: latencies of one-row statements on a tracked table while another transaction stays open on it, with and without
 * the daemon, alternating in one run. The open transaction is what keeps a swap from its lock.
 */
export function stalls(scale: Scale): Promise<Section> {
  const { openMs, rounds } = scale === 'quick' ? { openMs: 1_000, rounds: 1 } : { openMs: 9_000, rounds: 5 };
  return withLab(async (lab) => {
    const { url, sql } = lab;
    await sql`CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL)`;
    await sql`INSERT INTO account SELECT g, 0 FROM generate_series(0, 9999) g`;
    await trackTable(sql, 'account');
    const waits: Record<Side, number[][]> = { 'without daemon': [], 'with daemon': [] };
    await write(url, 1_000); // warms caches
    // The first load of the table is not what is measured.
    await withDaemon(lab, { interval: '100ms' }, () => untilLoaded(lab));
    for (let round = 0; round < rounds; round++) {
      for (const side of round % 2 === 0 ? SIDES : SIDES.toReversed()) {
        const take = () => writeBesideOpen(lab, openMs);
        waits[side].push(side === 'with daemon' ? await withDaemon(lab, { interval: '100ms' }, take) : await take());
      }
    }
    const [batches] = await sql<{ swap: number; move: number }[]>`
      SELECT count(*) FILTER (WHERE kind = 'swap')::int AS swap, count(*) FILTER (WHERE kind = 'move')::int AS move FROM audit.batch`;
    const figure = (name: string, q: number): Figure => {
      const values = (side: Side) => waits[side].map((round) => quantile(round, q));
      return { name, unit: 'ms', base: SIDES[0], sides: Object.fromEntries(SIDES.map((side) => [side, values(side)])) };
    };
    const longest = figure('Longest wait', 1);
    const added = (longest.sides['with daemon'] ?? []).map((ms, round) => ms - (longest.sides['without daemon']?.[round] ?? Number.NaN));
    return {
      name: 'stalls',
      title: 'Waits of writers while a transaction stays open',
      about: `${CLIENTS} clients UPDATE one row at a time of a tracked table, while another transaction has changed the table and stays open for
${openMs / 1000} s, so that no swap gets its lock; with a daemon that looks each 100 ms and without one, in turns.`,
      figures: [figure('Median wait', 0.5), figure('99th percentile', 0.99), figure('99.9th percentile', 0.999), longest],
      charts: [barChart('stalls', 'Longest wait of a writer while another transaction stays open, ms', longest)],
      goals: [
        {
          text: `longest wait of a writer while a transaction is open for ${openMs / 1000} s, beyond that without a daemon`,
          sense: 'at most',
          limit: 50,
          unit: 'ms',
          values: added,
        },
      ],
      notes: [
        `${count(waits['with daemon'])} statements with the daemon, ${count(waits['without daemon'])} without; it made ${batches?.swap ?? 0} batches by a swap and ${batches?.move ?? 0} by moving rows.`,
      ],
    };
  });
}

/** Milliseconds of each statement of writers while another transaction is open, and for a second after it. */
async function writeBesideOpen({ url, sql }: Lab, openMs: number): Promise<number[]> {
  const open = sql.begin(async (tx) => {
    await tx`UPDATE account SET balance = balance + 1 WHERE id = ${10_000 - 1}`;
    await sleep(openMs);
  });
  const waits = await write(url, openMs + 1_000);
  await open;
  return waits;
}

async function write(url: string, forMs: number): Promise<number[]> {
  const latencies: number[] = [];
  const end = performance.now() + forMs;
  const work = async (client: number) => {
    const sql = connect({ url, applicationName: 'bench load', max: 1 });
    await sql`SELECT 1`;
    while (performance.now() < end) {
      const started = performance.now();
      await sql`UPDATE account SET balance = balance + 1 WHERE id = ${client * 1000 + Math.floor(Math.random() * 1000)}`;
      latencies.push(performance.now() - started);
    }
    await sql.end();
  };
  await Promise.all(Array.from({ length: CLIENTS }, (_, client) => work(client)));
  return latencies;
}

async function untilLoaded({ sql }: Lab): Promise<void> {
  for (;;) {
    const [row] = await sql<{ n: number }[]>`SELECT count(*)::int AS n FROM audit.load WHERE done_at IS NOT NULL`;
    if (row !== undefined && row.n > 0) return;
    await sleep(50);
  }
}

function count(rounds: readonly (readonly number[])[]): string {
  return rounds.reduce((sum, { length }) => sum + length, 0).toLocaleString('en-US');
}
