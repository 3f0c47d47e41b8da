import { execFileSync } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { existsSync, readdirSync } from 'node:fs';
import { delimiter, join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, test } from 'vitest';
import { type Child, start } from '../support/child.ts';
import { batchesOf, type Deployment, deploy, LAKES, logLines } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';
import { until } from '../support/until.ts';

/** Where Debian and its kin put it when it is not on the PATH. */
const DEBIAN = '/usr/lib/postgresql';

function findPgbench(): string | undefined {
  const versions = existsSync(DEBIAN) ? readdirSync(DEBIAN).map((version) => join(DEBIAN, version, 'bin')) : [];
  return [...(process.env.PATH ?? '').split(delimiter), ...versions].map((folder) => join(folder, 'pgbench')).find(existsSync);
}

const pgbench = findPgbench();
const MISSING = `pgbench is neither on the PATH nor below ${DEBIAN}: install postgresql-contrib or postgresql-client`;

const CLIENTS = 4;
/** Transactions a second at most, so that a small machine is not only busy with pgbench. */
const RATE = 300;
const KILLS = 10;
/** From this kill on, until the other, a second daemon waits for its turn or takes it. */
const SECOND_FROM = 4;
const SECOND_TO = 8;
const LEAST_MS = 15_000;

describe(`pgbench, its TPC-B-like script with ${CLIENTS} clients, the daemon killed ${KILLS} times`, () => {
  beforeEach((context) => {
    if (pgbench) return;
    // The default reporter keeps the reason of a skipped test to itself.
    console.warn(`SKIPPED: ${MISSING}`);
    context.skip(MISSING);
  });

  test.each(LAKES)('%s: the replayed log is the tables, every cdc_seq once', { timeout: 400_000 }, async (kind) => {
    await using lake = await deploy(sharedPostgres(), { kind });
    execFileSync(pgbench ?? '', ['-i', '-s', '1', '--quiet', lake.url], { stdio: 'ignore' });
    await lake.ok('install');
    await lake.ok('track', 'public.pgbench_*');

    const load = new Load(lake);
    const daemons = new Daemons(lake);
    try {
      for (let kill = 0; kill < KILLS; kill++) await daemons.killOne(kill >= SECOND_FROM && kill < SECOND_TO ? 2 : 1);
      daemons.fill(1);
      await load.end();
      await daemons.stop();
    } finally {
      daemons.clear();
      await load.end().catch(() => {});
    }
    await lake.ok('run', '--once');

    // The loaded rows were there before `track`.
    const changes = await lake.verify({ partial: true });
    const history = changes.filter(({ table, op }) => table === 'public.pgbench_history' && op === 'I').length;
    expect(history).toBe(load.transactions);
    expect(history).toBeGreaterThan(500);
    expect(changes.filter(({ op }) => op === 'U')).toHaveLength(3 * history);
    const [ledger] = await lake.ok<{ batches: number; rows: number }[]>(
      'query',
      'SELECT count(*) AS batches, sum("rows")::BIGINT AS rows FROM sluice.batch',
    );
    expect(Number(ledger?.rows)).toBe(changes.length);
    console.info(
      `${kind}: ${load.transactions} transactions, ${changes.length} changes, ${ledger?.batches} batches, ${daemons.kills} kills, ` +
        `${daemons.recovered} batches finished by a later daemon, ${daemons.waited} daemons that waited, ${Math.round(load.ms / 1000)} s of load`,
    );
  });
});

/** pgbench in short runs, one after the other, until it is told to end and enough time has passed. */
class Load {
  readonly #lake: Deployment;
  readonly #started = performance.now();
  readonly #done: Promise<void>;
  #ending = false;
  /** What pgbench itself says it has done. */
  transactions = 0;
  ms = 0;

  constructor(lake: Deployment) {
    this.#lake = lake;
    this.#done = this.#run();
    // Awaited by `end`.
    this.#done.catch(() => {});
  }

  end(): Promise<void> {
    this.#ending = true;
    return this.#done;
  }

  async #run(): Promise<void> {
    // The first run truncates pgbench_history, which is captured as well.
    for (let extra: string[] = []; !this.#ending || performance.now() - this.#started < LEAST_MS; extra = ['-n']) {
      const args = [...extra, '-c', String(CLIENTS), '-j', '1', '-T', '3', '-R', String(RATE), this.#lake.url];
      const { code, stdout, log } = await start(pgbench ?? '', args).ended;
      expect(code, log).toBe(0);
      // The application saw no error.
      expect(stdout).toMatch(/number of failed transactions: 0 /);
      this.transactions += Number(/transactions actually processed: (\d+)/.exec(stdout)?.[1]);
    }
    this.ms = performance.now() - this.#started;
  }
}

class Daemons {
  readonly #lake: Deployment;
  #running: Child[] = [];
  kills = 0;
  recovered = 0;
  waited = 0;

  constructor(lake: Deployment) {
    this.#lake = lake;
  }

  /** Have this many daemons running. */
  fill(count: number): void {
    while (this.#running.length < count) this.#running.push(this.#lake.start(['run', '--log-level', 'debug']));
  }

  /** With `count` daemons running, kill the one that drains after it began to. */
  async killOne(count: number): Promise<void> {
    this.fill(count);
    let leader: Child | undefined;
    await until('a daemon drains', () => {
      this.#assertAlive();
      leader = this.#running.find((child) => batchesOf(child) > 0);
      return leader !== undefined;
    });
    if (count > 1)
      await until('the other one waits', () =>
        this.#running.some((child) => child !== leader && child.log().includes('another daemon leads')),
      );
    // Every other time at any moment, else in the short span between the lake's commit and the end of the batch at the source.
    if (this.kills % 2 === 0) await sleep(randomInt(200));
    else await Promise.race([leader?.ended, nextCommit(leader)]);
    leader?.process.kill('SIGKILL');
    await leader?.ended;
    this.kills++;
    this.#retire(leader);
  }

  /** SIGTERM to all; they end with 0. */
  async stop(): Promise<void> {
    const [first] = this.#running;
    if (first) await until('the last daemon drains', () => batchesOf(first) > 0);
    for (const child of this.#running) child.process.kill('SIGTERM');
    for (const child of this.#running) {
      const { code, log } = await child.ended;
      expect(code, log).toBe(0);
    }
    for (const child of [...this.#running]) this.#retire(child);
  }

  clear(): void {
    for (const child of this.#running) child.process.kill('SIGKILL');
  }

  #assertAlive(): void {
    for (const child of this.#running) expect(child.process.exitCode, child.log()).toBeNull();
  }

  #retire(child: Child | undefined): void {
    if (!child) return;
    this.#running = this.#running.filter((one) => one !== child);
    const lines = logLines(child);
    this.recovered += lines.filter(({ recovered }) => recovered).length;
    if (lines.some(({ msg }) => msg.startsWith('another daemon leads'))) this.waited++;
  }
}

/** Resolves as soon as the daemon has logged that its batch is in the lake. */
function nextCommit(child: Child | undefined): Promise<void> {
  return new Promise((resolve) => {
    child?.process.stderr?.on('data', (text: string) => {
      if (text.includes('"batch applied"')) resolve();
    });
  });
}
