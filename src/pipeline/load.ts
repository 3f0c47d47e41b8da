import type { Logger } from 'pino';
import { SluiceError } from '../model/error.ts';
import {
  CHUNK_ROWS,
  type Chunk,
  chunksOf,
  expectedRows,
  isFill,
  type Loaded,
  loadsTogether,
  type OpenLoad,
  type PlannedLeaf,
  planChunks,
  sampleChunks,
} from '../model/load.ts';
import type { AtPoint } from './crash-points.ts';
import type { Drained } from './drain.ts';
import type { Lake, LoadProgress, ReadChunk, ReadRows, Source } from './ports.ts';
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

/** What is at work, as this process has it: one load, or several first loads that share their transactions. */
interface Work {
  readonly parts: readonly Part[];
  readonly ahead: ReadAhead;
  /** Once all is read: the source's clock after that. */
  readAt?: string;
}

/** A load that is at work. */
interface Part {
  readonly id: string;
  /** Another one once the load was begun anew, by whomever: what was read before is too old for it. */
  readonly batchId: number | null;
  readonly frozen: boolean;
  readonly plan: readonly PlannedLeaf[];
  /** Added to the indexes of its chunks where those of several loads are read ahead. */
  readonly offset: number;
  /** What was read, and the lake does not have yet. */
  again: readonly ReadRows[];
  chunks: readonly ReadChunk[];
}

/** A part, and the load as it stands. */
type Standing = readonly (readonly [Part, OpenLoad])[];

/** How often the lake is looked at where nothing says that it should be. */
const IDLE_MS = 60_000;
/** The same while a gap waits for old transactions to end. */
const WAITING_MS = 1_000;
/** Loads that are looked at for those that may share a transaction: one look at the source for all of them. */
const CANDIDATES = 100;
/** Chunks are not made smaller than this part of the usual: 16 kB of pages. */
const SMALLEST = 4096;
/**
 * The state of a load is in the lake: which chunks are in, and whether something has disturbed it. So a load that was killed goes on after its last
 * chunk, and one chunk is read by one statement, hence no transaction of the source is long. A load is complete when all chunks are in and the lake
 * has all that was committed before the last read ended: `complete` then leaves to the log what was changed meanwhile.
 * First loads of small tables share the transactions that begin and complete them (`loadsTogether`): two take 0.5 s or more however little they bring.
 * Each has a number of its own all the same, and one that is disturbed leaves the others.
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
    await forgetRows(gone.parts);
    await lake.loads.readers(0).catch(() => undefined);
  }

  async function relieve(): Promise<boolean> {
    if (work === undefined || shrink >= SMALLEST) return false;
    shrink *= 4;
    tooLarge = true;
    log.warn({ load: work.parts[0]?.id, shrink }, 'chunks of this load are too large for memory_limit: it begins anew with smaller ones');
    await forget();
    return true;
  }

  /** Begin the first of these, and those that may go with it. */
  async function begin(loads: readonly OpenLoad[]): Promise<void> {
    const candidates = loads.slice(0, CANDIDATES);
    const ids = candidates.map(({ table }) => table.id);
    const tables = await source.tables(ids);
    // Rows without a key can't be compared.
    const nothing = candidates.filter(
      ({ table, mode }) => tables.find(({ id }) => id === table.id)?.relid == null || (mode === 'verify' && table.key === null),
    );
    for (const load of nothing) {
      await lake.loads.drop(load);
      await report([[load, { done_at: await source.now() }]]);
    }
    // The size of a table that somebody has locked is not to be had. Nobody else is to wait for that.
    const leaves = await source.leaves(ids).catch((error) => {
      if ((error as { code?: unknown }).code !== '55P03') throw error;
      return source.leaves(ids.slice(0, 1));
    });
    const planned = candidates
      .filter((load) => !nothing.includes(load) && leaves.has(load.table.id))
      .map((load) => {
        const whole = planChunks(leaves.get(load.table.id) ?? [], { chunkRows: rowsOfChunk, shrink });
        return { load, plan: load.sample === null ? whole : sampleChunks(whole, load.sample) };
      });
    const begun = loadsTogether(planned, shrink);
    if (begun.length === 0) return;
    const began_at = await source.now();
    const horizon = String(await source.oldestXid());
    await source.assertLeading();
    await at('before-load');
    await lake.loads.begin(begun, horizon);
    await at('after-load');
    await report(begun.map(({ load, plan }) => [load, { began_at, rows_expected: expectedRows(plan, new Map()), rows_read: 0 }]));
    for (const { load, plan } of begun) {
      log.info(
        { load: load.id, table: load.table.id, mode: load.mode, chunks: chunksOf(plan).length, again: load.batchId !== null },
        'load begun',
      );
    }
  }

  async function takeUp(loads: readonly OpenLoad[]): Promise<Work> {
    const taken = loadsTogether(
      loads.map((load) => ({ load, plan: load.plan })),
      shrink,
    );
    const tables = await source.tables(taken.map(({ load }) => load.table.id));
    await lake.loads.readers(readers);
    let offset = 0;
    const parts: Part[] = [];
    const chunks = new Map<number, { load: OpenLoad; part: Part; chunk: Chunk }>();
    for (const { load, plan } of taken) {
      const frozen = tables.find(({ id }) => id === load.table.id)?.evolve === 'freeze';
      const part: Part = { id: load.id, batchId: load.batchId, frozen, plan, offset, again: [], chunks: [] };
      for (const chunk of left(load)) chunks.set(offset + chunk.index, { load, part, chunk });
      offset += chunksOf(plan).length;
      parts.push(part);
    }
    const read = ({ index }: Chunk) => {
      const { load, part, chunk } = chunks.get(index) as { load: OpenLoad; part: Part; chunk: Chunk };
      const how = { frozen: part.frozen, pages: chunk.pages };
      return yielding(lake.loads.read(load, how, (reading) => source.rows(load.table.id, reading, chunk)));
    };
    const queue = [...chunks].map(([index, { chunk }]) => ({ ...chunk, index }));
    return { parts, ahead: new ReadAhead({ chunks: queue, read, readers, rowsPerSecond, whole: parts.length > 1 }) };
  }

  /** Chunks of the only load at work, or those of all. */
  async function loadChunks(mine: Work, standing: Standing): Promise<void> {
    const todo = standing.flatMap(([{ offset }, load]) => left(load).map((chunk) => ({ ...chunk, index: offset + chunk.index })));
    // The drain goes on while the source reads.
    const arrived = todo.length === 0 ? [] : await mine.ahead.next(todo);
    if (todo.length > 0 && arrived.length === 0) return;
    // Ctids tell nothing about a table that was rewritten meanwhile (VACUUM FULL, CLUSTER, ALTER TABLE).
    await assertSamePlaces(standing);
    const [first] = standing;
    if (first !== undefined && (!isFill(first[1]) || first[1].done.size > 0 || arrived.length < todo.length)) {
      await takeIn(first[1], arrived);
    } else {
      // All of it goes with what completes the load: one transaction less for a small table, and most are.
      for (const [part, load] of standing) {
        const own = new Set(left(load).map(({ index }) => index + part.offset));
        part.chunks = arrived
          .filter(({ chunk }) => own.has(chunk.index))
          .map(({ chunk, rows }) => ({ chunk: { ...chunk, index: chunk.index - part.offset }, rows }));
      }
      mine.readAt = await endOfReading();
    }
    mine.ahead.taken(arrived);
  }

  async function takeIn(load: OpenLoad, chunks: readonly ReadChunk[]): Promise<void> {
    await source.assertLeading();
    await at('before-chunk');
    await lake.loads.apply(load, chunks);
    await at('after-chunk');
    const done = new Map([...load.done, ...chunks.map(({ chunk, rows }) => [chunk.index, rows.rows] as const)]);
    const rows_read = [...done.values()].reduce((sum, n) => sum + n, 0);
    await report([[load, { rows_read, rows_expected: expectedRows(load.plan, done) }]]);
  }

  async function readAgain(mine: Work, part: Part, load: OpenLoad): Promise<void> {
    const again: ReadRows[] = [];
    await lake.loads.readers(0);
    for (const places of isFill(load) ? [] : await lake.loads.compare(load)) {
      const how = { frozen: part.frozen, pages: 0 };
      again.push(await lake.loads.read(load, how, (reading) => source.rows(load.table.id, reading, places)));
    }
    await assertSamePlaces([[part, load]]);
    part.again = again;
    mine.readAt = await endOfReading();
  }

  async function assertSamePlaces(standing: Standing): Promise<void> {
    const leaves = await source.leaves(standing.map(([, { table }]) => table.id));
    for (const [{ plan }, { table }] of standing) {
      const now = leaves.get(table.id) ?? [];
      if (plan.every(({ relid, filenode }) => now.some((leaf) => leaf.relid === relid && leaf.filenode === filenode))) continue;
      throw new Moved(table.id);
    }
  }

  /** Returns the source's clock. */
  async function endOfReading(): Promise<string> {
    await lake.loads.readers(0);
    return source.now();
  }

  async function complete(readAt: string, standing: Standing, drained: Drained): Promise<boolean> {
    // A batch that was cut before the last read may lack what that has seen.
    if (drained.kind === 'batch' && microseconds(drained.batch.cut) < microseconds(readAt)) return false;
    const identity = await source.identity();
    await source.assertLeading();
    await at('before-complete');
    const read = standing.map(([{ again, chunks }, load]) => ({ load, again, chunks }));
    const loaded = await lake.loads.complete(read, drained.kind === 'batch' ? drained.batch.cut : readAt, identity);
    await at('after-complete');
    const done_at = await source.now();
    const results = standing.map(([, load], position) => [load, loaded[position] as Loaded] as const);
    await report(results.map(([load, result]) => [load, { rows_read: result.rows, done_at, result }]));
    for (const [load, result] of results) {
      log.info({ load: load.id, table: load.table.id, mode: load.mode, batchId: load.batchId, ...result }, 'load done');
      onLoaded?.(load, result);
    }
    return true;
  }

  async function report(loads: readonly (readonly [OpenLoad, Omit<LoadProgress, 'table_id' | 'mode'>])[]): Promise<void> {
    await source.reportLoads(new Map(loads.map(([{ id, table, mode }, progress]) => [id, { table_id: table.id, mode, ...progress }])));
  }

  /** What people have asked for into the lake; and of what is done there, tell those who were not told because a daemon was killed. */
  async function takeRequests(): Promise<void> {
    const requests = await source.requestedLoads();
    if (requests.length === 0) return;
    const known = await lake.loads.find(requests.map(({ id }) => id));
    // A table's first load is the lake's own affair.
    await lake.loads.request(requests.filter(({ id, mode }) => !known.has(id) && mode !== 'fill'));
    const now = await source.now();
    const progress = requests.map(({ id, tableId: table_id, mode }): [string, LoadProgress] => {
      const { done, result } = known.get(id) ?? { done: mode === 'fill' };
      const ended = { ...(done && { done_at: now }), ...(result && { rows_read: result.rows, result }) };
      return [id, { table_id, mode, began_at: now, ...ended }];
    });
    await source.reportLoads(new Map(progress));
  }

  async function oneStep(drained: Drained): Promise<boolean> {
    const fresh = stale && work === undefined;
    if (fresh) {
      await takeRequests();
      gapWaits = await repairGaps({ source, lake, log });
      stale = false;
    }
    const open = await lake.loads.open({ fresh });
    look = open.length > 0;
    if (!look) return false;
    // Where those that were disturbed came first, tables that are emptied again and again would keep others from being loaded.
    const begun = open.filter(({ batchId, disturbed }) => batchId !== null && !disturbed);
    if (work !== undefined && !(await stillAtWork(work, begun))) await forget();
    if (begun.length === 0 || tooLarge) {
      await forget();
      stale = false;
      await begin(open);
      tooLarge = false;
      return true;
    }
    work ??= await takeUp(begun);
    const standing = work.parts.flatMap((part): Standing => {
      const load = begun.find(({ id }) => id === part.id);
      return load ? [[part, load]] : [];
    });
    const [only] = standing;
    try {
      if (work.readAt !== undefined) {
        if (await complete(work.readAt, standing, drained)) {
          await forget();
          shrink = 1;
        }
      } else if (standing.length > 1 || (only !== undefined && left(only[1]).length > 0)) await loadChunks(work, standing);
      else if (only !== undefined) await readAgain(work, ...only);
    } catch (error) {
      if (!(error instanceof SluiceError)) throw error;
      if (error.code !== 'load_disturbed' && error.code !== 'load_large') throw error;
      await forget();
      const anew = standing.map(([, load]) => load).find(({ table }) => !(error instanceof Moved) || table.id === error.tableId);
      if (anew) await begin([error.code === 'load_large' ? { ...anew, mode: 'full', sample: null } : anew]);
    }
    return true;
  }

  /**
   * Whether what was read is of use. Of several loads those that were disturbed are left out; while rows are still being read, all are read again without
   * them: they are few.
   */
  async function stillAtWork(mine: Work, begun: readonly OpenLoad[]): Promise<boolean> {
    const stands = ({ id, batchId }: Part) => begun.some((load) => load.id === id && load.batchId === batchId);
    const gone = mine.parts.filter((part) => !stands(part));
    if (gone.length === 0) return true;
    if (gone.length === mine.parts.length || mine.readAt === undefined) return false;
    await forgetRows(gone);
    work = { ...mine, parts: mine.parts.filter(stands) };
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

async function forgetRows(parts: readonly Part[]): Promise<void> {
  const rows = parts.flatMap(({ again, chunks }) => [...again, ...chunks.map((one) => one.rows)]);
  await Promise.allSettled(rows.map((one) => one.forget()));
}

/** Rows of a table lie elsewhere than where they were read. */
class Moved extends SluiceError {
  readonly tableId: number;

  constructor(tableId: number) {
    super('load_disturbed', 'The table was rewritten while it was loaded', 'None: the load begins anew.');
    this.tableId = tableId;
  }
}

/** Of a time as the source writes it: ISO 8601 in UTC, with up to six decimals. */
function microseconds(iso: string): bigint {
  const [, whole = '', decimals = ''] = /^(.*?)(?:\.(\d+))?Z$/.exec(iso) ?? [];
  return BigInt(Date.parse(`${whole}Z`)) * 1000n + BigInt(decimals.padEnd(6, '0'));
}
