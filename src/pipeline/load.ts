import type { Logger } from 'pino';
import { SluiceError } from '../model/error.ts';
import {
  CHUNK_ROWS,
  type Chunk,
  chunksOf,
  expectedRows,
  isFill,
  type Leaf,
  type Loaded,
  type OpenLoad,
  type PlannedLeaf,
  planChunks,
  sampleChunks,
} from '../model/load.ts';
import type { AtPoint } from './crash-points.ts';
import type { Drained } from './drain.ts';
import type { Lake, LastRead, ReadRows, Source } from './ports.ts';
import { givingWay, ReadAhead } from './read-ahead.ts';
import { repairGaps } from './repair.ts';

export interface LoaderOptions {
  readonly source: Source;
  readonly lake: Lake;
  readonly log: Logger;
  readonly at: AtPoint;
  /** Chunks that are read at the same time. */
  readonly readers: number;
  /** At most; undefined: as fast as it goes. */
  readonly rowsPerSecond?: number | undefined;
  /** For tests. */
  readonly chunkRows?: number | undefined;
  /** Called after each load that was completed. */
  readonly onLoaded?: ((load: OpenLoad, result: Loaded) => void) | undefined;
}

/** Loads tables, a step at a time, between batches. */
export interface Loader {
  /**
   * Do one thing for the load at work, or begin one. Call it after each drain with what that did; false: there is nothing to load.
   * After a rejection the next call goes on from what the lake holds.
   */
  step(drained: Drained): Promise<boolean>;
  /**
   * The engine has run out of memory, by whatever: let go of what is read ahead, and load in smaller chunks. False: there is nothing to let go of, or chunks
   * are small enough.
   */
  relieve(): Promise<boolean>;
  /** Let go of what is read ahead. */
  close(): Promise<void>;
}

/** The load at work, as this process has it: chunks that are being read, and what they wait for. */
interface Work {
  readonly id: string;
  /** Another one once the load was begun anew, by whomever: what was read before is too old for it. */
  readonly batchId: number | null;
  readonly frozen: boolean;
  readonly plan: readonly PlannedLeaf[];
  readonly ahead: ReadAhead;
  /** Once all is read: the source's clock after that, and what the lake does not have yet. */
  read?: LastRead & { readonly at: string };
}

/** How often the lake is looked at where nothing says that it should be. */
const IDLE_MS = 60_000;
/** The same while a gap waits for old transactions to end. */
const WAITING_MS = 1_000;
/** Chunks are not made smaller than this part of the usual: 16 kB of pages. */
const SMALLEST = 4096;
/**
 * The state of a load is in the lake: which chunks are in, and whether something has disturbed it. So a load that was killed goes on after its last
 * chunk, and one chunk is read by one statement, hence no transaction of the source is long. A load is complete when all chunks are in and the lake
 * has all that was committed before the last read ended: `complete` then leaves to the log what was changed meanwhile.
 *
 *   requested ──begin──► at work ──chunk, chunk …──► read ──(compare, read again)──► waits for a batch ──complete──► done
 *                           ▲───────── TRUNCATE, DDL, rewritten table ─────────┘
 */
export function createLoader({ source, lake, log, at, readers, rowsPerSecond, chunkRows, onLoaded }: LoaderOptions): Loader {
  // What is read at once is not read faster than that.
  const rowsOfChunk = chunkRows ?? Math.min(CHUNK_ROWS, rowsPerSecond ?? CHUNK_ROWS);
  let work: Work | undefined;
  /** Grows when the engine has run out of memory, and then the load begins anew: see planChunks. */
  let shrink = 1;
  let tooLarge = false;
  // What the lake holds is looked at once, and again when a batch or a request may have added to it; `look`: whether there is something to do.
  let look = true;
  let stale = true;
  // `sluice rebuild` may add a load from outside, and an open gap may wait for a transaction to end.
  let lookAgainAt = 0;
  let gapWaits = false;
  const yielding = givingWay(source, log);

  async function forget(): Promise<void> {
    const gone = work;
    work = undefined;
    look = true;
    stale = true;
    if (gone === undefined) return;
    await gone.ahead.close();
    const { again = [], chunks = [] } = gone.read ?? {};
    await Promise.allSettled([...again, ...chunks.map(({ rows }) => rows)].map((one) => one.forget()));
    await lake.loads.readers(0).catch(() => undefined);
  }

  async function relieve(): Promise<boolean> {
    if (work === undefined || shrink >= SMALLEST) return false;
    shrink *= 4;
    tooLarge = true;
    log.warn({ load: work.id, shrink }, 'chunks of this load are too large for memory_limit: it begins anew with smaller ones');
    await forget();
    return true;
  }

  async function begin(load: OpenLoad): Promise<void> {
    const [table] = await source.tables([load.table.id]);
    // Rows without a key can't be compared.
    if (table?.relid == null || (load.mode === 'verify' && load.table.key === null)) {
      await lake.loads.drop(load);
      const done_at = await source.now();
      await source.reportLoad(load.id, { table_id: load.table.id, mode: load.mode, done_at });
      return;
    }
    const whole = planChunks(await source.leaves(load.table.id), { chunkRows: rowsOfChunk, shrink });
    const plan = load.sample === null ? whole : sampleChunks(whole, load.sample);
    const began_at = await source.now();
    const horizon = String(await source.oldestXid());
    await source.assertLeading();
    await at('before-load');
    await lake.loads.begin(load, plan, horizon);
    await at('after-load');
    await source.reportLoad(load.id, {
      table_id: load.table.id,
      mode: load.mode,
      began_at,
      rows_expected: expectedRows(plan, new Map()),
      rows_read: 0,
    });
    log.info(
      { load: load.id, table: load.table.id, mode: load.mode, chunks: chunksOf(plan).length, again: load.batchId !== null },
      'load begun',
    );
  }

  async function takeUp(load: OpenLoad): Promise<Work> {
    const [table] = await source.tables([load.table.id]);
    await lake.loads.readers(readers);
    const frozen = table?.evolve === 'freeze';
    const read = (chunk: Chunk) =>
      yielding(lake.loads.read(load, { frozen, pages: chunk.pages }, (reading) => source.rows(load.table.id, reading, chunk)));
    const ahead = new ReadAhead({ chunks: left(load), read, readers, rowsPerSecond });
    return { id: load.id, batchId: load.batchId, frozen, plan: load.plan, ahead };
  }

  async function loadChunks(mine: Work, load: OpenLoad, todo: readonly Chunk[]): Promise<void> {
    // The drain goes on while the source reads.
    const chunks = await mine.ahead.next(todo);
    if (chunks.length === 0) return;
    // Ctids tell nothing about a table that was rewritten meanwhile (VACUUM FULL, CLUSTER, ALTER TABLE).
    assertSamePlaces(mine.plan, await source.leaves(load.table.id));
    if (isFill(load) && load.done.size === 0 && chunks.length === todo.length) {
      // All of it goes with what completes the load: one transaction less for a small table, and most are.
      mine.read = { at: await endOfReading(), again: [], chunks };
      mine.ahead.taken(chunks);
      return;
    }
    await source.assertLeading();
    await at('before-chunk');
    await lake.loads.apply(load, chunks);
    await at('after-chunk');
    mine.ahead.taken(chunks);
    const done = new Map([...load.done, ...chunks.map(({ chunk, rows }) => [chunk.index, rows.rows] as const)]);
    await source.reportLoad(load.id, {
      table_id: load.table.id,
      mode: load.mode,
      rows_read: [...done.values()].reduce((sum, n) => sum + n, 0),
      rows_expected: expectedRows(load.plan, done),
    });
  }

  async function readAgain(mine: Work, load: OpenLoad): Promise<void> {
    const again: ReadRows[] = [];
    await lake.loads.readers(0);
    for (const places of isFill(load) ? [] : await lake.loads.compare(load)) {
      const how = { frozen: mine.frozen, pages: 0 };
      again.push(await lake.loads.read(load, how, (reading) => source.rows(load.table.id, reading, places)));
    }
    assertSamePlaces(mine.plan, await source.leaves(load.table.id));
    mine.read = { at: await endOfReading(), again, chunks: [] };
  }

  /** Returns the source's clock. */
  async function endOfReading(): Promise<string> {
    await lake.loads.readers(0);
    return source.now();
  }

  async function complete({ read }: Required<Work>, load: OpenLoad, drained: Drained): Promise<boolean> {
    // A batch that was cut before the last read may lack what that has seen.
    if (drained.kind === 'batch' && microseconds(drained.batch.cut) < microseconds(read.at)) return false;
    const identity = await source.identity();
    await source.assertLeading();
    await at('before-complete');
    const loaded = await lake.loads.complete(load, read, drained.kind === 'batch' ? drained.batch.cut : read.at, identity);
    await at('after-complete');
    await reportDone(load, loaded);
    return true;
  }

  async function reportDone(load: OpenLoad, result: Loaded): Promise<void> {
    const done_at = await source.now();
    await source.reportLoad(load.id, { table_id: load.table.id, mode: load.mode, rows_read: result.rows, done_at, result });
    log.info({ load: load.id, table: load.table.id, mode: load.mode, batchId: load.batchId, ...result }, 'load done');
    onLoaded?.(load, result);
  }

  /** What people have asked for into the lake; and of what is done there, tell those who were not told because a daemon was killed. */
  async function takeRequests(): Promise<void> {
    const requests = await source.requestedLoads();
    if (requests.length === 0) return;
    const known = await lake.loads.find(requests.map(({ id }) => id));
    // A table's first load is the lake's own affair.
    await lake.loads.request(requests.filter(({ id, mode }) => !known.has(id) && mode !== 'fill'));
    const now = await source.now();
    for (const { id, tableId: table_id, mode } of requests) {
      const { done, result } = known.get(id) ?? { done: mode === 'fill' };
      await source.reportLoad(id, {
        table_id,
        mode,
        began_at: now,
        ...(done && { done_at: now }),
        ...(result && { rows_read: result.rows, result }),
      });
    }
  }

  async function oneStep(drained: Drained): Promise<boolean> {
    const fresh = stale && work === undefined;
    if (fresh) {
      await takeRequests();
      gapWaits = await repairGaps({ source, lake, log });
      stale = false;
    }
    const [load] = await lake.loads.open({ fresh });
    look = load !== undefined;
    if (load === undefined) return false;
    if (work !== undefined && work.batchId !== load.batchId) await forget();
    if (load.batchId === null || load.disturbed || tooLarge) {
      await forget();
      stale = false;
      await begin(load);
      tooLarge = false;
      return true;
    }
    work ??= await takeUp(load);
    try {
      const todo = left(load);
      if (work.read === undefined) await (todo.length > 0 ? loadChunks(work, load, todo) : readAgain(work, load));
      else if (await complete(work as Required<Work>, load, drained)) {
        await forget();
        shrink = 1;
      }
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      if (error.code !== 'load_disturbed' && error.code !== 'load_large') throw error;
      await forget();
      await begin(error.code === 'load_large' ? { ...load, mode: 'full', sample: null } : load);
    }
    return true;
  }

  return {
    async step(drained) {
      if (drained.news || Date.now() > lookAgainAt) {
        look = true;
        stale = true;
      }
      if (!look) return false;
      lookAgainAt = Date.now() + (gapWaits ? WAITING_MS : IDLE_MS);
      try {
        await lake.acquire();
        return await oneStep(drained);
      } catch (error) {
        const relieved = error instanceof SluiceError && error.code === 'lake_memory' && (await relieve());
        await forget();
        if (!relieved) throw error;
        return true;
      } finally {
        await lake.release();
      }
    },
    relieve,
    close: forget,
  };
}

/** Chunks that are not in the lake. */
function left({ plan, done }: OpenLoad): Chunk[] {
  return chunksOf(plan).filter(({ index }) => !done.has(index));
}

function assertSamePlaces(plan: readonly PlannedLeaf[], now: readonly Leaf[]): void {
  if (plan.every(({ relid, filenode }) => now.some((leaf) => leaf.relid === relid && leaf.filenode === filenode))) return;
  throw new SluiceError('load_disturbed', 'The table was rewritten while it was loaded', 'None: the load begins anew.');
}

/** Of a time as the source writes it: ISO 8601 in UTC, with up to six decimals. */
function microseconds(iso: string): bigint {
  const [, whole = '', decimals = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(iso) ?? [];
  return BigInt(Date.parse(`${whole}Z`)) * 1000n + BigInt(decimals.padEnd(6, '0'));
}
