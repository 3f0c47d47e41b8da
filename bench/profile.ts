import { readFileSync, writeFileSync } from 'node:fs';
import { DuckDBConnection } from '@duckdb/node-api';

/** One statement of the engine: milliseconds of wall clock and of this process's CPU, and the process's highest RSS (MB) while it ran. */
export interface Profiled {
  readonly sql: string;
  readonly ms: number;
  readonly cpuMs: number;
  readonly peakMb: number;
}

/** Every statement that DuckDB runs in this process while `work` does, in order. */
export async function profiled(work: () => Promise<unknown>): Promise<Profiled[]> {
  const statements: Profiled[] = [];
  const { run } = DuckDBConnection.prototype;
  DuckDBConnection.prototype.run = async function (this: DuckDBConnection, ...args: Parameters<typeof run>) {
    resetPeak();
    const started = performance.now();
    const cpu = process.cpuUsage();
    try {
      return await run.apply(this, args);
    } finally {
      const { user, system } = process.cpuUsage(cpu);
      const sql = args[0]
        .replaceAll(/^--.*\n/gm, '')
        .replaceAll(/\s+/g, ' ')
        .trim();
      statements.push({
        sql: sql.slice(0, 110),
        ms: round(performance.now() - started),
        cpuMs: round((user + system) / 1000),
        peakMb: peakMb(),
      });
    }
  } as typeof run;
  try {
    await work();
  } finally {
    DuckDBConnection.prototype.run = run;
  }
  return statements;
}

/** Let VmHWM begin anew (proc(5), clear_refs). */
export function resetPeak(): void {
  writeFileSync('/proc/self/clear_refs', '5');
}

/** The highest RSS of a process since it began, or since `resetPeak`, in MB. */
export function peakMb(pid: number | 'self' = 'self'): number {
  return Math.round(Number(/VmHWM:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024);
}

function round(ms: number): number {
  return Math.round(ms * 10) / 10;
}
