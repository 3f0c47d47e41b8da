import { setTimeout as sleep } from 'node:timers/promises';
import { Daemon } from '../src/daemon/index.ts';
import { connect } from '../src/source/index.ts';
import { quantile, trackTable, withLab } from './lab.ts';

export interface Stalls {
  readonly statements: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

/**
 * What an application feels: latencies (ms) of one-row statements on a tracked table while another transaction stays open on it, with and
 * without the daemon, alternating in one run. The open transaction is what keeps a swap from its lock.
 */
export function stalls({
  openMs = 10_000,
  clients = 2,
  rounds = 2,
} = {}): Promise<{ without: Stalls; with: Stalls; batches: { swap: number; move: number } }> {
  return withLab(async ({ url, sql, composition: { ports } }) => {
    await sql`CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL)`;
    await sql`INSERT INTO account SELECT g, 0 FROM generate_series(0, 9999) g`;
    await trackTable(sql, 'account');
    const samples: { without: number[]; with: number[] } = { without: [], with: [] };
    await load(url, 1_000, clients); // warms caches and connections
    for (let round = 0; round < rounds; round++) {
      for (const side of ['without', 'with'] as const) {
        const daemon = side === 'with' ? new Daemon({ ports, log: ports.log, intervalMs: 100 }) : undefined;
        const ended = daemon?.run();
        const open = sql.begin(async (tx) => {
          await tx`UPDATE account SET balance = balance + 1 WHERE id = ${10_000 - 1}`;
          await sleep(openMs);
        });
        samples[side].push(...(await load(url, openMs + 1_000, clients)));
        await open;
        await daemon?.stop();
        await ended;
      }
    }
    const [batches] = await sql<{ swap: number; move: number }[]>`
      SELECT count(*) FILTER (WHERE kind = 'swap')::int AS swap, count(*) FILTER (WHERE kind = 'move')::int AS move FROM audit.batch`;
    return {
      without: summary(samples.without),
      with: summary(samples.with),
      batches: { swap: batches?.swap ?? 0, move: batches?.move ?? 0 },
    };
  });
}

async function load(url: string, forMs: number, clients: number): Promise<number[]> {
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
  await Promise.all(Array.from({ length: clients }, (_, client) => work(client)));
  return latencies;
}

function summary(latencies: readonly number[]): Stalls {
  const at = (q: number) => Math.round(quantile(latencies, q) * 100) / 100;
  return { statements: latencies.length, p50: at(0.5), p99: at(0.99), p999: at(0.999), max: at(1) };
}
