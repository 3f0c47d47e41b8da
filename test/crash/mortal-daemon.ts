import { copyFileSync, existsSync, renameSync, rmSync } from 'node:fs';
import { placesFor } from '../../src/cli/lake.ts';
import type { Config } from '../../src/config/index.ts';
import { chooseStager, type Engine, extensionsFor, loadExtensions, openEngine, openLake } from '../../src/lake/index.ts';
import { classify } from '../../src/model/fault.ts';
import {
  type CrashPoint,
  createLoader,
  createTaker,
  createWatch,
  type Drained,
  type DrainPorts,
  drain,
  type Lake,
  type Loader,
  matchLake,
  type Source,
} from '../../src/pipeline/index.ts';
import { PostgresSource } from '../../src/source/index.ts';
import { silent } from '../lake/support.ts';
import { filePagesOf, streamRowsOf } from '../support/compose.ts';

/** Where a daemon can be stopped: the product's crash points, and after each statement of a lake transaction, BEGIN and COMMIT among them. */
export type Place = CrashPoint | 'in-lake';

/** What happens to a daemon in its next round; nothing if it never comes to that place. */
export type Fate =
  /** As `kill -9`, or as a machine that sleeps until `wake`. */
  | { readonly is: 'dies' | 'stalls'; readonly at: Place; readonly hit: number }
  /** The step happens, but its caller sees a broken connection. */
  | { readonly is: 'loses'; readonly answer: Answer };

export type Answer = 'swap' | 'move' | 'settle' | 'lake commit' | 'finish';

/** done: the buffer is empty · waits: another daemon leads · failed: by a fault that may pass */
export type Outcome = 'done' | 'waits' | 'failed' | 'killed' | 'asleep';

/** Short, for the property test meets a held buffer all the time. */
const LOCK_TIMEOUT_MS = 5;

/**
 * A daemon in this process that can be killed: the parts of src/daemon/compose.ts, with gates at every crash point and lake statement.
 *
 * What makes this as good as `kill -9`, and where it is not:
 * - A gate that kills never opens. So no code of the product runs after it: no catch, no finally, no roll-back, no release.
 * - Nothing of the daemon is in flight at a gate, so its sessions at the source are idle, and to the server an idle session ends alike
 *   however its client went. A death in the middle of a statement takes a process of its own (child.ts).
 * - Closing the engine rolls an open lake transaction back, which to the catalog's server is what the end of a session is. But DuckLake also
 *   removes that transaction's Parquet files, which a real kill leaves behind, known to nobody.
 * - Closing a DuckDB file writes its WAL back. So file and WAL are copied at the instant of death, and put in place of what closing left.
 * - A process does not lock a DuckDB file against itself, so a daemon never stalls while it holds one.
 */
export class MortalDaemon {
  readonly #config: Config;
  #ports!: DrainPorts;
  #loader!: Loader;
  #source!: PostgresSource;
  #engine!: Engine;
  #fate: Fate | undefined;
  #hits = 0;
  #leading = false;
  #holdsLake = false;
  #running: Promise<Outcome> | undefined;
  #stopped = Promise.withResolvers<'killed' | 'asleep'>();
  #awake = Promise.withResolvers<void>();
  readonly #buried = Promise.withResolvers<void>();
  #dead = false;

  private constructor(config: Config) {
    this.#config = config;
  }

  static async start(config: Config): Promise<MortalDaemon> {
    const daemon = new MortalDaemon(config);
    const { memoryLimit, tempDirectory, lake: lakeConfig } = config;
    const engine = await openEngine({ memoryLimit, threads: 1, log: silent, ...(tempDirectory === undefined ? {} : { tempDirectory }) });
    await loadExtensions(engine, extensionsFor(lakeConfig, 'fifo'), placesFor(config));
    const gated = daemon.#gateEngine(engine);
    const { stager, rows } = await chooseStager(gated, placesFor(config), config.staging, streamRowsOf(config));
    const at = (point: CrashPoint) => daemon.#reach(point);
    daemon.#engine = engine;
    daemon.#source = new PostgresSource({ url: config.source.url, lockTimeoutMs: LOCK_TIMEOUT_MS });
    const source = daemon.#gateSource(daemon.#source);
    const lake = daemon.#watchLake(openLake(gated, lakeConfig, { rows, filePages: filePagesOf(config) }));
    const taker = createTaker({ source, log: silent, at, lockTimeoutMs: LOCK_TIMEOUT_MS });
    daemon.#loader = createLoader({ source, lake, log: silent, at, readers: 2, chunkRows: 4 });
    daemon.#ports = { source, lake, stager, taker, watch: createWatch({ source, log: silent }), log: silent, at };
    return daemon;
  }

  get asleep(): boolean {
    return this.#running !== undefined;
  }

  /** What src/daemon/daemon.ts does in one tick, but that schema changes are followed at once, not within ten seconds. Rejects on a fault that would end the daemon. */
  async round(fate?: Fate): Promise<Outcome> {
    this.#fate = fate;
    this.#hits = 0;
    this.#running = this.#drainAll();
    return this.#untilItStops();
  }

  /** Go on after a stall. */
  async wake(): Promise<Outcome> {
    this.#awake.resolve();
    this.#awake = Promise.withResolvers();
    return this.#untilItStops();
  }

  /** Rows of a query on the lake. A new engine would take ten times as long to load its extensions as to answer. */
  async query(text: string): Promise<Record<string, unknown>[]> {
    await this.#ports.lake.acquire();
    try {
      return await this.#engine.exclusive(async (sql) => {
        await sql.run('USE lake');
        const rows = await sql.rows(text);
        await sql.run('USE memory');
        return rows;
      });
    } finally {
      await this.#ports.lake.release();
    }
  }

  /** Kill it where it is: idle or asleep. */
  async kill(): Promise<void> {
    if (!this.#dead) await this.#bury();
  }

  async #untilItStops(): Promise<Outcome> {
    this.#stopped = Promise.withResolvers();
    const outcome = await Promise.race([this.#running as Promise<Outcome>, this.#stopped.promise]);
    if (outcome !== 'asleep') this.#running = undefined;
    if (outcome === 'killed') await this.#bury();
    return outcome;
  }

  async #drainAll(): Promise<Outcome> {
    try {
      if (!(await this.#ports.source.lead())) return 'waits';
      if (!this.#leading) await matchLake(this.#ports);
      this.#leading = true;
      let drained: Drained;
      let loading: boolean;
      do {
        drained = await drain(this.#ports, { watchNow: true });
        loading = await this.#loader.step(drained);
      } while (loading || drained.kind === 'batch');
      return 'done';
    } catch (error) {
      this.#leading = false;
      if (!classify(error).retry) throw error;
      return 'failed';
    }
  }

  async #reach(place: Place): Promise<void> {
    const fate = this.#fate;
    if (fate === undefined || fate.is === 'loses' || fate.at !== place || ++this.#hits !== fate.hit) return;
    this.#fate = undefined;
    if (fate.is === 'stalls') {
      if (this.#holdsLake && this.#config.lake.type === 'duckdb') return;
      const { promise } = this.#awake;
      this.#stopped.resolve('asleep');
      return promise;
    }
    this.#die();
    this.#stopped.resolve('killed');
    return new Promise(() => {});
  }

  /** The step was done; now its caller must not hear of it. */
  #loses(answer: Answer): boolean {
    if (this.#fate?.is !== 'loses' || this.#fate.answer !== answer) return false;
    this.#fate = undefined;
    return true;
  }

  /** Disk as it is at this instant. */
  #die(): void {
    this.#dead = true;
    for (const file of this.#files()) if (existsSync(file)) copyFileSync(file, `${file}.at-death`);
  }

  async #bury(): Promise<void> {
    if (!this.#dead) this.#die();
    this.#buried.resolve();
    await this.#engine.close();
    await this.#source[Symbol.asyncDispose]();
    for (const file of this.#files()) {
      rmSync(file, { force: true });
      if (existsSync(`${file}.at-death`)) renameSync(`${file}.at-death`, file);
    }
  }

  #files(): string[] {
    const { lake } = this.#config;
    return lake.type === 'duckdb' && this.#holdsLake ? [lake.path, `${lake.path}.wal`] : [];
  }

  #gateEngine(engine: Engine): Engine {
    let statements = -1;
    const exclusive: Engine['exclusive'] = (work) =>
      // The dead wait for ever, but the engine itself is let go, so that it can be closed.
      new Promise((resolve, reject) => {
        const gated = (sql: Parameters<typeof work>[0]): typeof sql => ({
          ...sql,
          run: async (text, params) => {
            const changed = await sql.run(text, params);
            if (text === 'BEGIN') statements = 0;
            if (text === 'COMMIT' && this.#loses('lake commit')) throw new Error('server closed the connection unexpectedly');
            if (statements >= 0) await this.#reach('in-lake');
            if (text === 'COMMIT' || text === 'ROLLBACK') statements = -1;
            return changed;
          },
        });
        engine
          .exclusive((sql) => Promise.race([work(gated(sql)), this.#buried.promise]))
          .then(
            (value) => this.#dead || resolve(value as never),
            (error) => this.#dead || reject(error),
          );
      });
    return overrule(engine, { exclusive });
  }

  #gateSource(source: PostgresSource): Source {
    const losing =
      <A extends unknown[], T>(answer: Answer, step: (...args: A) => Promise<T>) =>
      async (...args: A): Promise<T> => {
        const value = await step(...args);
        if (this.#loses(answer)) throw Object.assign(new Error('the answer was lost'), { code: 'CONNECTION_CLOSED' });
        return value;
      };
    return overrule<Source>(source, {
      swap: losing('swap', () => source.swap()),
      move: losing('move', () => source.move()),
      settle: losing('settle', (batch) => source.settle(batch)),
      finish: losing('finish', (batch, rows) => source.finish(batch, rows)),
    });
  }

  #watchLake(lake: Lake): Lake {
    return overrule(lake, {
      acquire: async () => {
        this.#holdsLake = true;
        await lake.acquire();
      },
      release: async () => {
        await lake.release();
        this.#holdsLake = false;
      },
    });
  }
}

/** `target` with some methods replaced; the others run on `target` itself, for the sake of private fields. */
function overrule<T extends object>(target: T, methods: Partial<T>): T {
  return new Proxy(target, {
    get(_, name) {
      const value: unknown = Reflect.get(name in methods ? methods : target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
}
