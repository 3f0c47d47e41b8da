import { setTimeout as sleep } from 'node:timers/promises';
import type { Config } from '../config/index.ts';
import { compilePatterns } from '../config/index.ts';
import { SluiceError } from '../model/error.ts';
import { classify } from '../model/fault.ts';
import type { Loaded, LoadMode } from '../model/load.ts';
import type { LoadStatus, Sql, TableStatus } from '../source/index.ts';
import type { Context } from './context.ts';
import { plural } from './output.ts';
import { type Progress, withProgress } from './progress.ts';
import { withSource } from './source.ts';
import { stopOnSignal } from './stop.ts';
import { assertMeant, tableLabel } from './tables.ts';

type Source = typeof import('../source/index.ts');

export interface LoadWanted {
  /** Of tracked tables; none: all. */
  readonly patterns: readonly string[];
  readonly mode: Exclude<LoadMode, 'fill'>;
  /** Percent; undefined: all rows. */
  readonly sample?: number | undefined;
  /** What the progress bar says. */
  readonly doing: string;
}

/** What became of a table; `result` null: nothing was loaded, it has no key to verify by. */
export interface TableLoad {
  readonly id: string | null;
  readonly table: TableStatus;
  readonly result: Loaded | null;
}

const POLL_MS = 200;

/** How long a leader may be gone: a restarted daemon takes up its loads again. */
const LEADERLESS_MS = 15_000;

/**
 * Ask for loads of tables and see them through: the daemon does them, or this process where none leads.
 * @throws SluiceError unknown_table, no_tables, daemon_stopped, table_gone, interrupted; or what a drain throws
 */
export async function loadTables(context: Context, config: Config, { patterns, mode, sample, doing }: LoadWanted): Promise<TableLoad[]> {
  return withSource(config, async (sql, source) => {
    await source.assertInstalled(sql);
    const tables = choose((await source.readStatus(sql)).tables, patterns);
    const wanted = tables.filter(({ key }) => (mode !== 'verify' && mode !== 'repair' ? true : key !== null));
    const stop = stopOnSignal(context.io);
    try {
      const ids = await source.requestLoads(
        sql,
        wanted.map(({ id }) => id),
        { mode, sample },
      );
      const done =
        ids.length === 0
          ? []
          : await withProgress(context, { label: doing, total: 0, unit: 'rows', timed: true }, (progress) =>
              seeThrough(context, config, { sql, source, ids, stop: stop.signal, progress }),
            );
      return tables.map((table) => {
        const id = ids[wanted.indexOf(table)];
        return { id: id ?? null, table, result: done.find((load) => load.id === id)?.result ?? null };
      });
    } finally {
      stop.forget();
    }
  });
}

function choose(all: readonly TableStatus[], patterns: readonly string[]): TableStatus[] {
  const tables = all.filter(({ problem }) => problem !== 'dropped');
  for (const pattern of patterns) {
    assertMeant(pattern, tables, { message: `No tracked table is ${pattern}.`, remedy: 'sluice status lists the tracked tables.' });
  }
  const matches = patterns.length === 0 ? () => true : compilePatterns(patterns);
  const chosen = tables.filter(matches);
  if (chosen.length > 0) return chosen;
  throw new SluiceError(
    'no_tables',
    patterns.length === 0 ? 'No table is tracked.' : `No tracked table matches ${patterns.join(', ')}.`,
    'sluice track begins to capture tables; sluice status lists them.',
  );
}

interface Loads {
  readonly sql: Sql;
  readonly source: Source;
  readonly ids: readonly string[];
  readonly stop: AbortSignal;
  readonly progress: Progress;
}

async function seeThrough(context: Context, config: Config, loads: Loads): Promise<LoadStatus[]> {
  const { sql, source, ids } = loads;
  if ((await source.readLoads(sql, ids)).led) return waitFor(loads);
  try {
    return await doThem(context, config, loads);
  } catch (error) {
    if (classify(error).code !== 'another_daemon_leads') throw error;
    return waitFor(loads);
  }
}

/** The daemon does them. */
async function waitFor(loads: Loads): Promise<LoadStatus[]> {
  let ledAt = Date.now();
  for (;;) {
    const { now, led } = await look(loads);
    if (now.every(({ done }) => done)) return assertDone(now);
    if (led) ledAt = Date.now();
    if (Date.now() > ledAt + LEADERLESS_MS) {
      throw new SluiceError(
        'daemon_stopped',
        `The daemon has stopped before ${left(now)} done.`,
        'Start it again, or run `sluice run --once`: the load goes on after its last finished part.',
      );
    }
    if (loads.stop.aborted) {
      throw new SluiceError(
        'interrupted',
        `Stopped to wait: the daemon goes on, ${left(now)} not done yet.`,
        'sluice status shows how far it is.',
      );
    }
    await sleep(POLL_MS, undefined, { signal: loads.stop }).catch(() => {});
  }
}

/** No daemon leads: drain and load as `run --once` does. */
async function doThem(context: Context, config: Config, loads: Loads): Promise<LoadStatus[]> {
  const [{ withTempDirectory, placesFor }, { compose, drainOnce }, { warnings }] = await Promise.all([
    import('./lake.ts'),
    import('../daemon/index.ts'),
    import('./logger.ts'),
  ]);
  const log = warnings(context.io);
  const ended = new AbortController();
  const shown = show(loads, ended.signal);
  try {
    await withTempDirectory(config, async (ready) => {
      await using composition = await compose({ config: ready, log, places: placesFor(ready) });
      await drainOnce({ ports: composition.ports, log, stop: loads.stop });
    });
  } catch (error) {
    if (classify(error).code !== 'interrupted') throw error;
    const { now } = await look(loads);
    throw new SluiceError(
      'interrupted',
      `Stopped by a signal: ${left(now)} not done.`,
      'Nothing is lost: sluice run, with --once or without, goes on after the last finished part.',
    );
  } finally {
    ended.abort();
    await shown;
  }
  return assertDone((await look(loads)).now);
}

/** Show progress until `ended`; what the source does not answer is not shown. */
async function show(loads: Loads, ended: AbortSignal): Promise<void> {
  while (!ended.aborted) {
    await look(loads).catch(() => {});
    await sleep(POLL_MS, undefined, { signal: ended }).catch(() => {});
  }
}

async function look({ sql, source, ids, progress }: Loads): Promise<{ now: LoadStatus[]; led: boolean }> {
  const { loads: now, led } = await source.readLoads(sql, ids);
  progress.update(
    now.reduce((sum, { result, read }) => sum + (result?.rows ?? read), 0),
    now.reduce((sum, { done, result, read, expected }) => sum + (done ? (result?.rows ?? 0) : Math.max(read, expected)), 0),
  );
  return { now, led };
}

function left(now: readonly LoadStatus[]): string {
  const open = now.filter(({ done }) => !done);
  return `${open.slice(0, 3).map(tableLabel).join(', ')}${open.length > 3 ? ` and ${plural(open.length - 3, 'other')}` : ''} ${open.length === 1 ? 'is' : 'are'}`;
}

function assertDone(now: readonly LoadStatus[]): LoadStatus[] {
  const gone = now.find(({ result }) => result === null);
  if (gone === undefined) return [...now];
  if (!gone.done) throw new SluiceError('load_not_done', `${left(now)} not loaded.`, 'sluice status shows what it waits for.');
  throw new SluiceError(
    'table_gone',
    `${tableLabel(gone)} was dropped or untracked before it was loaded.`,
    'sluice status lists the tracked tables.',
  );
}
