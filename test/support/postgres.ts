import { type ChildProcess, execFile, spawn } from 'node:child_process';
import { randomBytes, randomInt } from 'node:crypto';
import { once } from 'node:events';
import { chownSync, mkdtempSync } from 'node:fs';
import { appendFile, chmod, chown, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { binDirectory, POSTGRES_VERSIONS, type PostgresVersion, type ServerAccount, serverAccount } from './postgres-binaries.ts';

export { POSTGRES_VERSIONS, type PostgresVersion } from './postgres-binaries.ts';

const PASSWORD = 'sluice-test';

/** Speed, and room for many test files on one server. `fsync = off` survives crash(): the kernel does not crash, so its cache is kept. */
const SETTINGS: Record<string, string> = {
  listen_addresses: '127.0.0.1',
  unix_socket_directories: '',
  fsync: 'off',
  full_page_writes: 'off',
  shared_buffers: '64MB',
  max_connections: '100',
  max_prepared_transactions: '20',
};

/** A running server that tests may connect to. The superuser is `postgres`, the locale C, the encoding UTF8. */
export interface PostgresAddress {
  readonly version: PostgresVersion;
  /** postgres://postgres:…@127.0.0.1:port/postgres */
  readonly url: string;
  readonly port: number;
  readonly dataDir: string;
}

/** A server that belongs to the test which started it. */
export interface TestPostgres extends PostgresAddress, AsyncDisposable {
  /** Start it again after `halt` or `crash`: same data, same port. */
  start(): Promise<void>;
  /** A clean ("fast") shutdown that keeps the data. */
  halt(): Promise<void>;
  /** What a power cut looks like to PostgreSQL: an immediate shutdown. The next start recovers and empties UNLOGGED tables. */
  crash(): Promise<void>;
  /** Shut down for good and remove the data. Idempotent. */
  stop(): Promise<void>;
  /** The end of the server's log. */
  log(): string;
}

/**
 * The versions a test file runs against: `SLUICE_TEST_PG` ("15,16,17,18"), else the oldest and the newest.
 * @throws Error on anything but a list of supported versions.
 */
export function testVersions(): PostgresVersion[] {
  const chosen = (process.env.SLUICE_TEST_PG ?? '15,18').split(',').map((text) => Number(text.trim()));
  return chosen.map((number) => {
    const version = POSTGRES_VERSIONS.find((known) => known === number);
    if (!version) throw new Error(`SLUICE_TEST_PG: "${process.env.SLUICE_TEST_PG}" is no list of ${POSTGRES_VERSIONS.join(', ')}`);
    return version;
  });
}

/**
 * A new cluster of its own under the system's temporary directory, started. Takes about a second.
 * No server outlives the process that started it, however that ends: a watchdog sees the end of a pipe, stops it and removes its data.
 */
export function startPostgres(version: PostgresVersion = 18, options: { settings?: Record<string, string> } = {}): Promise<TestPostgres> {
  return startCluster(version, createCluster, { ...SETTINGS, ...options.settings });
}

/** The same with files of another making: `make` fills `<root>/data` as `account`; `settings` are put behind those of its postgresql.conf. */
export async function startCluster(
  version: PostgresVersion,
  make: (bin: string, root: string, account: ServerAccount) => Promise<void>,
  settings: Record<string, string> = {},
): Promise<TestPostgres> {
  const account = serverAccount();
  const bin = binDirectory(version, account);
  const root = mkdtempSync(join(tmpdir(), `sluice-pg${version}-`));
  if (account.uid !== undefined) chownSync(root, account.uid, account.gid ?? account.uid);
  const watchdog = watch(root, account);
  try {
    await make(bin, root, account);
    const port = await freePort();
    const lines = Object.entries({ ...settings, port: String(port) });
    await appendFile(
      join(root, 'data', 'postgresql.conf'),
      lines.map(([name, value]) => `${name} = '${value.replaceAll("'", "''")}'\n`).join(''),
    );
    const server = new Server(version, port, root, bin, account, watchdog);
    await server.start();
    return server;
  } catch (error) {
    watchdog.stdin?.end();
    throw error;
  }
}

class Server implements TestPostgres {
  readonly version: PostgresVersion;
  readonly port: number;
  readonly url: string;
  readonly dataDir: string;
  readonly #binary: string;
  readonly #account: ServerAccount;
  readonly #watchdog: ChildProcess;
  #process: ChildProcess | undefined;
  #log = '';

  constructor(version: PostgresVersion, port: number, root: string, bin: string, account: ServerAccount, watchdog: ChildProcess) {
    this.version = version;
    this.port = port;
    this.url = `postgres://postgres:${PASSWORD}@127.0.0.1:${port}/postgres`;
    this.dataDir = join(root, 'data');
    this.#binary = join(bin, 'postgres');
    this.#account = account;
    this.#watchdog = watchdog;
  }

  log(): string {
    return this.#log;
  }

  async start(): Promise<void> {
    if (this.#process) return;
    // Its own process group: Ctrl-C in a terminal ends the test run, which then stops its servers in order.
    const child = spawn(this.#binary, ['-D', this.dataDir], {
      ...this.#account,
      cwd: '/',
      detached: true,
      env: { ...process.env, LC_ALL: 'C' },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    this.#process = child;
    await new Promise<void>((resolve, reject) => {
      let seen = '';
      child.stderr?.setEncoding('utf8').on('data', (text: string) => {
        this.#log = (this.#log + text).slice(-64_000);
        seen = (seen + text).slice(-4_000);
        // A standby is ready as soon as it can be read.
        if (/database system is ready to accept (?:read-only )?connections/.test(seen)) resolve();
      });
      child.once('error', reject);
      child.once('exit', (code, signal) => {
        if (this.#process === child) this.#process = undefined;
        reject(new Error(`PostgreSQL ${this.version} ended with ${code ?? signal}:\n${this.#log}`));
      });
    });
  }

  halt(): Promise<void> {
    return this.#end('SIGINT');
  }

  crash(): Promise<void> {
    return this.#end('SIGQUIT');
  }

  async stop(): Promise<void> {
    await this.halt();
    if (this.#watchdog.exitCode !== null) return;
    const gone = once(this.#watchdog, 'exit');
    this.#watchdog.stdin?.end();
    await gone;
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }

  async #end(signal: 'SIGINT' | 'SIGQUIT'): Promise<void> {
    const child = this.#process;
    if (!child) return;
    const gone = once(child, 'exit');
    child.kill(signal);
    await gone;
  }
}

/** Waits for the end of its stdin, which this process holds open; then stops what runs in `root` and removes it. */
function watch(root: string, account: ServerAccount): ChildProcess {
  const script = `cat >/dev/null
pid=$(head -n 1 data/postmaster.pid 2>/dev/null) && kill -QUIT "$pid" && for i in 1 2 3 4 5 6 7 8 9 10; do
  [ -e data/postmaster.pid ] && sleep 0.3
done
cd / && rm -rf "$1"`;
  return spawn('/bin/sh', ['-c', script, 'sluice-test-watchdog', root], {
    ...account,
    cwd: root,
    detached: true,
    stdio: ['pipe', 'ignore', 'ignore'],
  });
}

async function createCluster(bin: string, root: string, account: ServerAccount): Promise<void> {
  const passwordFile = join(root, 'password');
  await writeFile(passwordFile, PASSWORD);
  await chmod(passwordFile, 0o600);
  if (account.uid !== undefined) await chown(passwordFile, account.uid, account.gid ?? account.uid);
  const flags = ['--username=postgres', `--pwfile=${passwordFile}`, '--auth=scram-sha-256', '--encoding=UTF8', '--locale=C', '--no-sync'];
  await promisify(execFile)(join(bin, 'initdb'), ['-D', join(root, 'data'), ...flags], { ...account, cwd: '/' });
  await rm(passwordFile);
}

/** Below the range the kernel hands to outgoing connections: a port from that range may be taken between a crash and the next start. */
async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(15_000, 32_000);
    const probe = createServer();
    const free = await new Promise<boolean>((resolve) => {
      probe.once('error', () => resolve(false)).listen(port, '127.0.0.1', () => resolve(true));
    });
    if (!free) continue;
    await new Promise((resolve) => probe.close(resolve));
    return port;
  }
}

/** A new, empty database with a random name on a running server: what isolates tests that share one. */
export async function freshDatabase(server: PostgresAddress): Promise<{ url: string; drop(): Promise<void> }> {
  const name = `t_${randomBytes(6).toString('hex')}`;
  const run = async (statement: string) => {
    const sql = postgres(server.url, { max: 1, onnotice: () => {} });
    try {
      await sql.unsafe(statement);
    } finally {
      await sql.end();
    }
  };
  await run(`create database ${name}`);
  const url = new URL(server.url);
  url.pathname = `/${name}`;
  return { url: url.href, drop: () => run(`drop database if exists ${name} with (force)`) };
}
