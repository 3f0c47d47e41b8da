import { execFileSync } from 'node:child_process';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { availableParallelism, cpus, totalmem } from 'node:os';
import { join } from 'node:path';
import { version as duckdbVersion } from '@duckdb/node-api';
import { binDirectory, serverAccount } from '../test/support/postgres-binaries.ts';
import type { Scale, Section } from './result.ts';

/** One run of one suite: a file of raw results. */
export interface Run {
  readonly section: Section;
  readonly scale: Scale;
  /** The command that made it. */
  readonly command: string;
  /** When it ended, ISO 8601. */
  readonly date: string;
  readonly seconds: number;
  /** Of git, with a plus sign where files differed from it; empty: no repository. */
  readonly commit: string;
  readonly machine: Machine;
}

export interface Machine {
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGb: number;
  readonly postgres: string;
  readonly duckdb: string;
  readonly node: string;
}

export function thisMachine(): Machine {
  const account = serverAccount();
  const postgres = execFileSync(join(binDirectory(18, account), 'postgres'), ['--version'], { ...account, cwd: '/', encoding: 'utf8' });
  return {
    cpu: cpus()[0]?.model.trim() ?? 'unknown',
    cores: availableParallelism(),
    memoryGb: Math.round(totalmem() / 2 ** 30),
    postgres: /[\d.]+(?=\s*$)/.exec(postgres)?.[0] ?? postgres.trim(),
    duckdb: duckdbVersion().replace(/^v/, ''),
    node: process.versions.node,
  };
}

/** The report itself is no difference: it is what a run writes. */
export function thisCommit(): string {
  const git = (...args: string[]) => execFileSync('git', args, { cwd: import.meta.dirname, encoding: 'utf8', stdio: 'pipe' }).trim();
  try {
    return git('rev-parse', '--short', 'HEAD') + (git('status', '--porcelain', '--', ':/', ':!/bench/report') === '' ? '' : '+');
  } catch {
    return '';
  }
}

/** Put a run in the place of the last one of its suite. */
export async function writeRun(folder: string, run: Run): Promise<void> {
  await mkdir(join(folder, 'raw'), { recursive: true });
  await writeFile(join(folder, 'raw', `${run.section.name}.json`), `${JSON.stringify(run, null, 1)}\n`);
}

/** The last run of each suite: those named here in this order, others after them. */
export async function readRuns(folder: string, order: readonly string[]): Promise<Run[]> {
  const raw = join(folder, 'raw');
  await mkdir(raw, { recursive: true });
  const files = (await readdir(raw)).filter((file) => file.endsWith('.json')).sort();
  const runs: Run[] = await Promise.all(files.map(async (file) => JSON.parse(await readFile(join(raw, file), 'utf8'))));
  const place = ({ section }: Run) => (order.includes(section.name) ? order.indexOf(section.name) : order.length);
  return runs.sort((a, b) => place(a) - place(b));
}
