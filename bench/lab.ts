import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import pino from 'pino';
import { placesFor, withTempDirectory } from '../src/cli/lake.ts';
import { loadConfig } from '../src/config/index.ts';
import { type Composition, compose } from '../src/daemon/index.ts';
import { attachStatement } from '../src/lake/config.ts';
import { type Engine, extensionsFor, type LakeConfig, loadExtensions, openEngine } from '../src/lake/index.ts';
import { connect, install, type Sql, track } from '../src/source/index.ts';
import { freshDatabase, startPostgres, type TestPostgres } from '../test/support/postgres.ts';
import { peakMb } from './profile.ts';

/** A source with schema audit and a DuckLake with its catalog in PostgreSQL, both on one server as it would be set up for real use. */
export interface Lab {
  readonly server: TestPostgres;
  readonly url: string;
  readonly sql: Sql;
  /** Folder of sluice.yaml and of the lake's data. */
  readonly folder: string;
  readonly composition: Composition;
}

/** Build one, hand it to `work`, tear it down. `settings` are more of the server's. */
export async function withLab<T>(work: (lab: Lab) => Promise<T>, settings: Readonly<Record<string, string>> = {}): Promise<T> {
  await using server = await startPostgres(18, {
    settings: { fsync: 'on', full_page_writes: 'on', shared_buffers: '512MB', max_wal_size: '8GB', ...settings },
  });
  const database = await freshDatabase(server);
  const catalog = await freshDatabase(server);
  const folder = await mkdtemp(join(tmpdir(), 'sluice-bench-'));
  const sql = connect({ url: database.url, applicationName: 'bench', max: 8 });
  try {
    await install(database.url);
    const file = join(folder, 'sluice.yaml');
    await writeFile(
      file,
      `source: { url: "${database.url}" }\nlake: { type: ducklake, catalog: "${catalog.url}", data: ./lake }\nbatch: { interval: 1s }\n`,
    );
    return await withTempDirectory(loadConfig({ file, env: process.env, cwd: folder, flags: {} }), async (config) => {
      await using composition = await compose({ config, log: pino({ level: 'silent' }), places: placesFor(config) });
      return await work({ server, url: database.url, sql, folder, composition });
    });
  } finally {
    await sql.end({ timeout: 1 });
    await rm(folder, { recursive: true, force: true });
  }
}

/** An engine of its own as the commands open it, with the extensions of the lab's lake and nothing attached. */
export function withEngineOf<T>({ folder }: Pick<Lab, 'folder'>, work: (engine: Engine, lake: LakeConfig) => Promise<T>): Promise<T> {
  const config = loadConfig({ file: join(folder, 'sluice.yaml'), env: process.env, cwd: folder, flags: {} });
  return withTempDirectory(config, async ({ memoryLimit, tempDirectory, lake }) => {
    const engine = await openEngine({
      memoryLimit,
      log: pino({ level: 'silent' }),
      ...(tempDirectory === undefined ? {} : { tempDirectory }),
    });
    try {
      await loadExtensions(engine, extensionsFor(lake, 'fifo'), placesFor(config));
      return await work(engine, lake);
    } finally {
      await engine.close();
    }
  });
}

/** The lab's lake, attached for writing beside the daemon's. */
export function withLake<T>(lab: Lab, work: (sql: Engine) => Promise<T>): Promise<T> {
  return withEngineOf(lab, async (engine, lake) => {
    await engine.run(attachStatement(lake, 'write'));
    return work(engine);
  });
}

/** Track a table of schema public. */
export async function trackTable(sql: Sql, name: string): Promise<void> {
  await track(sql, [{ schema: 'public', name }]);
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * q))] ?? Number.NaN;
}

/** Milliseconds that `work` took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** The highest RSS (MB) of a daemon that drains what waits. */
export async function peakOfDaemon({ folder, composition }: Lab): Promise<number> {
  // Ours leads.
  await composition[Symbol.asyncDispose]();
  const main = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
  const child: ChildProcess = spawn(process.execPath, [main, 'run', '--once'], { cwd: folder, stdio: 'ignore' });
  const ended = once(child, 'exit');
  let peak = 0;
  // VmHWM is the process's own highest, so only what it grows in its last 50 ms is missed.
  while (child.exitCode === null && child.signalCode === null) {
    const now = peakMb(child.pid);
    if (!Number.isNaN(now)) peak = Math.max(peak, now);
    await Promise.race([ended, sleep(50)]);
  }
  if (child.exitCode !== 0) throw new Error(`the daemon ended with ${child.exitCode}`);
  return peak;
}
