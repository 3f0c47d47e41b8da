import { spawn } from 'node:child_process';
import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { loadConfig } from '../src/config/index.ts';
import { connect } from '../src/source/index.ts';
import { trackTable, withLab } from './lab.ts';

/** What an idle daemon costs: its share of a core (percent, user + system of the process), and what it did to source and lake meanwhile. */
export function idle({
  seconds = 30,
} = {}): Promise<{ cpuPercent: number; batches: number; lakeCommits: number; seconds: number; rssMb: number }> {
  return withLab(async ({ sql, folder, composition: { ports } }) => {
    await sql`CREATE TABLE quiet (id int PRIMARY KEY)`;
    await trackTable(sql, 'quiet');
    await ports.lake.acquire();
    const main = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
    const child = spawn(process.execPath, [main, 'run'], { cwd: folder, stdio: 'ignore' });
    try {
      await sleep(5_000);
      const before = { cpu: await cpuSeconds(child.pid ?? 0), snapshots: await snapshots(folder) };
      await sleep(seconds * 1000);
      const after = { cpu: await cpuSeconds(child.pid ?? 0), snapshots: await snapshots(folder) };
      const [row] = await sql<{ n: number }[]>`SELECT count(*)::int AS n FROM audit.batch`;
      const status = await readFile(`/proc/${child.pid}/status`, 'utf8');
      return {
        cpuPercent: Math.round(((after.cpu - before.cpu) / seconds) * 10_000) / 100,
        batches: row?.n ?? -1,
        lakeCommits: after.snapshots - before.snapshots,
        seconds,
        rssMb: Math.round(Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024),
      };
    } finally {
      child.kill('SIGTERM');
    }
  });
}

/** User and system time of a process in seconds, out of Linux's /proc (fields 14 and 15, in ticks of 10 ms; see proc(5)). */
async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** Snapshots of the DuckLake, counted in its catalog. */
async function snapshots(folder: string): Promise<number> {
  const { lake } = loadConfig({ file: `${folder}/sluice.yaml`, env: {}, cwd: folder, flags: {} });
  if (lake.type !== 'ducklake') throw new Error('the bench lab has a DuckLake');
  const sql = connect({ url: lake.catalog, applicationName: 'bench', max: 1 });
  try {
    const [row] = await sql<{ n: number }[]>`SELECT count(*)::int AS n FROM ducklake_snapshot`;
    return row?.n ?? -1;
  } finally {
    await sql.end();
  }
}
