import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
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

export { median, quantile } from './stats.ts';

/** A source with schema audit and a DuckLake with its catalog in PostgreSQL, both on one server as it would be set up for real use. */
export interface Lab {
  readonly server: TestPostgres;
  readonly url: string;
  /** Database of the lake's catalog. */
  readonly catalogUrl: string;
  readonly sql: Sql;
  /** Folder of sluice.yaml and of the lake's data. */
  readonly folder: string;
  readonly composition: Composition;
}

/** Build one on a server of its own, hand it to `work`, tear it down. `settings` are more of the server's. */
export async function withLab<T>(work: (lab: Lab) => Promise<T>, settings: Readonly<Record<string, string>> = {}): Promise<T> {
  await using server = await startServer(settings);
  return await withLabOn(server, work);
}

/** A server as it would be set up for real use. */
export function startServer(settings: Readonly<Record<string, string>> = {}): Promise<TestPostgres> {
  return startPostgres(18, {
    settings: { fsync: 'on', full_page_writes: 'on', shared_buffers: '512MB', max_wal_size: '8GB', ...settings },
  });
}

/** The same on a server that other labs may use too. */
export async function withLabOn<T>(server: TestPostgres, work: (lab: Lab) => Promise<T>): Promise<T> {
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
      return await work({ server, url: database.url, catalogUrl: catalog.url, sql, folder, composition });
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

/** Milliseconds that `work` took. */
export async function timed(work: () => Promise<unknown>): Promise<number> {
  const started = performance.now();
  await work();
  return performance.now() - started;
}

/** Wall clock and CPU of this process, in milliseconds, that `work` took. */
export async function spent(work: () => Promise<unknown>): Promise<{ ms: number; cpuMs: number }> {
  const before = process.cpuUsage();
  const ms = await timed(work);
  const { user, system } = process.cpuUsage(before);
  return { ms, cpuMs: (user + system) / 1000 };
}

/** Bytes of the lake's files; its catalog is not counted. */
export async function lakeBytes({ folder }: Lab): Promise<number> {
  const entries = await readdir(join(folder, 'lake'), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const sizes = await Promise.all(files.map(async ({ parentPath, name }) => (await stat(join(parentPath, name))).size));
  return sizes.reduce((sum, size) => sum + size, 0);
}

/** User and system time of a process in seconds, out of Linux's /proc (fields 14 and 15, in ticks of 10 ms; see proc(5)). */
export async function cpuSeconds(pid: number): Promise<number> {
  const stat = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/** The highest RSS (MB) of a daemon of its own that drains what waits. The lab's own composition is closed for it, for good. */
export async function peakOfDaemon(lab: Lab): Promise<number> {
  await lab.composition[Symbol.asyncDispose]();
  const child = spawnDaemon(lab, ['--once']);
  const ended = once(child, 'exit');
  let peak = 0;
  // VmHWM is the process's own highest, so only what it grows in its last 50 ms is missed.
  while (isRunning(child)) {
    const now = peakMb(child.pid);
    if (!Number.isNaN(now)) peak = Math.max(peak, now);
    await Promise.race([ended, sleep(50)]);
  }
  if (child.exitCode !== 0) throw new Error(`the daemon ended with ${child.exitCode}`);
  return peak;
}

export interface DaemonOptions {
  readonly interval?: string;
  /** Called with each line of its log, of level debug. */
  readonly onLine?: (line: Readonly<Record<string, unknown>>) => void;
}

/** Do `work` beside a daemon, a process of its own, from when it leads. The lab's own composition is closed for it, for good. */
export async function withDaemon<T>(lab: Lab, { interval = '1s', onLine }: DaemonOptions, work: (pid: number) => Promise<T>): Promise<T> {
  await lab.composition[Symbol.asyncDispose]();
  // The session of who led before ends a moment after its process.
  while (await isLed(lab.sql)) await sleep(20);
  const logged = onLine === undefined ? {} : { SLUICE_LOG_LEVEL: 'debug', SLUICE_LOG_FORMAT: 'json' };
  const child = spawnDaemon(lab, [], { SLUICE_BATCH_INTERVAL: interval, ...logged }, onLine && 'pipe');
  const ended = once(child, 'exit');
  if (child.stderr && onLine) createInterface(child.stderr).on('line', (line) => onLine(JSON.parse(line)));
  try {
    while (!(await isLed(lab.sql))) {
      if (!isRunning(child)) throw new Error(`the daemon ended with ${child.exitCode ?? child.signalCode}`);
      await sleep(50);
    }
    return await work(child.pid as number);
  } finally {
    child.kill('SIGTERM');
    await ended;
  }
}

function spawnDaemon(
  { folder }: Lab,
  args: readonly string[],
  env: Readonly<Record<string, string>> = {},
  stderr: 'ignore' | 'pipe' = 'ignore',
): ChildProcess {
  const main = fileURLToPath(new URL('../src/cli/main.ts', import.meta.url));
  return spawn(process.execPath, [main, 'run', ...args], {
    cwd: folder,
    stdio: ['ignore', 'ignore', stderr],
    env: { ...process.env, ...env },
  });
}

function isRunning({ exitCode, signalCode }: ChildProcess): boolean {
  return exitCode === null && signalCode === null;
}

async function isLed(sql: Sql): Promise<boolean> {
  const [row] = await sql<{ led: boolean }[]>`
    SELECT EXISTS (SELECT FROM pg_locks k JOIN pg_database d ON d.oid = k.database AND d.datname = current_database()
      WHERE k.locktype = 'advisory' AND k.granted) AS led`;
  return row?.led === true;
}
