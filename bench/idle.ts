import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { drainOnce } from '../src/daemon/index.ts';
import { connect } from '../src/source/index.ts';
import { cpuSeconds, type Lab, trackTable, withDaemon, withLab } from './lab.ts';
import type { Scale, Section } from './result.ts';

/** What an idle daemon costs: its share of a core (user + system of the process), and what it did to source and lake meanwhile. */
export function idle(scale: Scale): Promise<Section> {
  const { settleMs, seconds, rounds } =
    scale === 'quick' ? { settleMs: 500, seconds: 2, rounds: 1 } : { settleMs: 5_000, seconds: 20, rounds: 3 };
  return withLab(async (lab) => {
    const { sql, composition } = lab;
    await sql`CREATE TABLE quiet (id int PRIMARY KEY)`;
    await trackTable(sql, 'quiet');
    await drainOnce({ ports: composition.ports, log: composition.ports.log });
    const seen: Record<'cpu' | 'batches' | 'commits' | 'rss', number[]> = { cpu: [], batches: [], commits: [], rss: [] };
    await withDaemon(lab, {}, async (pid) => {
      await sleep(settleMs);
      for (let round = 0; round < rounds; round++) {
        const before = { cpu: await cpuSeconds(pid), commits: await snapshots(lab), batches: await batches(lab) };
        await sleep(seconds * 1000);
        seen.cpu.push((100 * ((await cpuSeconds(pid)) - before.cpu)) / seconds);
        seen.commits.push((await snapshots(lab)) - before.commits);
        seen.batches.push((await batches(lab)) - before.batches);
        seen.rss.push(Number(/VmRSS:\s+(\d+)/.exec(await readFile(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
      }
    });
    return {
      name: 'idle',
      title: 'A daemon with nothing to do',
      about: `One tracked table, no changes, the default interval of a second, ${seconds} s a round.`,
      figures: [
        { name: 'CPU of the daemon', unit: '% of a core', sides: { 'idle daemon': seen.cpu } },
        { name: 'Resident memory', unit: 'MB', sides: { 'idle daemon': seen.rss } },
      ],
      charts: [],
      goals: [
        { text: 'CPU of an idle daemon', sense: 'at most', limit: 0.5, unit: '% of a core', values: seen.cpu },
        { text: 'swaps of an idle daemon', sense: 'at most', limit: 0, unit: '', values: seen.batches },
        { text: 'lake commits of an idle daemon', sense: 'at most', limit: 0, unit: '', values: seen.commits },
      ],
    };
  });
}

async function batches({ sql }: Lab): Promise<number> {
  const [row] = await sql<{ n: number }[]>`SELECT count(*)::int AS n FROM audit.batch`;
  return row?.n ?? Number.NaN;
}

/** Snapshots of the DuckLake, counted in its catalog. */
async function snapshots({ catalogUrl }: Lab): Promise<number> {
  const sql = connect({ url: catalogUrl, applicationName: 'bench', max: 1 });
  try {
    const [row] = await sql<{ n: number }[]>`SELECT count(*)::int AS n FROM ducklake_snapshot`;
    return row?.n ?? Number.NaN;
  } finally {
    await sql.end();
  }
}
