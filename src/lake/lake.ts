import type { Applied, Batch, SourceIdentity, Staged } from '../model/batch.ts';
import { SluiceError } from '../model/error.ts';
import { placeOf, sameName } from '../model/lake-place.ts';
import type { LakeTable } from '../model/table.ts';
import type { Lake } from '../pipeline/ports.ts';
import type { LakeConfig } from './config.ts';
import type { Engine, Sql } from './engine.ts';
import { capGaps, closeGap, readGaps, recordGap } from './gaps.ts';
import { moveAnchor, writeLedger, writeQuiet } from './ledger.ts';
import { openLoads } from './loads.ts';
import { type OnOneThread, onlyOneThread, withOneThread } from './one-thread.ts';
import { prepareTables } from './prepare.ts';
import { readRegistry } from './registry.ts';
import { retainSlice } from './retain.ts';
import type { RowSource } from './row-source.ts';
import type { Row } from './rows.ts';
import { LakeSession } from './session.ts';
import { forgetStage, incomplete, STAGE, stageLogged, stageNothing } from './stage.ts';
import { fifoRows } from './stage-fifo.ts';
import { statement } from './statement.ts';
import { applyTables, type TableBatch } from './typed-apply.ts';

export interface LakeOptions {
  /** How loads read rows: the way that goes with the stager. */
  readonly rows?: RowSource;
  /** For tests of small chunks: see openLoads. */
  readonly filePages?: number | undefined;
}

/**
 * The lake on an engine into which its extensions are loaded (`extensionsFor`). Nothing is opened before `acquire`; closing the lake leaves
 * the engine open. Batches are applied from the engine's staging table, so the stager must use the same engine.
 *
 * Codes of rejections: `lake_already_holds`, `lake_conflict` (call `acquire` again), `lake_locked`, `lake_full`, `lake_denied`,
 * `lake_unreachable`, `lake_engine_broken`, `lake_memory`, `lake_damaged`, `stage_incomplete`, else `lake_failed`. After `lake_unreachable` or `lake_engine_broken` from `apply` the commit may have
 * happened: ask `find`.
 */
export function openLake(engine: Engine, config: LakeConfig, { rows = fifoRows(engine), filePages }: LakeOptions = {}): Lake {
  const session = new LakeSession(engine, config);
  // Only a writer changes the registry, and every writer moves the anchor.
  let cached: { at: number; tables: readonly LakeTable[] } | undefined;
  const registry = async (sql: Sql): Promise<readonly LakeTable[]> => {
    if (cached === undefined || cached.at !== session.seen) cached = { at: session.seen ?? -1, tables: await readRegistry(sql) };
    return cached.tables;
  };
  const forgetRegistry = () => {
    cached = undefined;
  };
  /** Of the next batches of few changes, how many have all threads: see SLOW_US. */
  let batchesOfMany = 0;
  /** Where many tables are new they come before anything else is done, in transactions of their own. Returns their ids. */
  const addTables = async (prepared: readonly TableBatch[], cut: string, source: SourceIdentity): Promise<number[]> => {
    const free = await session.use('looking up tables', async (sql) => newTables(prepared, await registry(sql)));
    const ahead = free.length > NEW_TABLES ? free : [];
    for (let first = 0; first < ahead.length; first += NEW_TABLES) await followTables(ahead.slice(first, first + NEW_TABLES), cut, source);
    return ahead.map(({ evolution }) => evolution.table.id);
  };
  const followTables = (tables: readonly TableBatch[], cut: string, source: SourceIdentity): Promise<void> =>
    session.write('following schema changes', async (sql, fence) => {
      fence.check();
      const batchId = fence.lastBatchId + 1;
      await applyTables(sql, batchId, tables);
      await writeQuiet(sql, [batchId], 'schema', cut, source);
      await moveAnchor(sql, batchId);
      return { value: undefined, lastBatchId: batchId };
    });
  const loads = openLoads({ engine, session, config, rows, registry, forgetRegistry, filePages });
  return {
    loads,
    acquire: () => session.acquire(),
    release: () => session.release(),
    close: () => session.close(),
    find: async (batchId) => {
      const rows = await session.use('looking up a batch', (sql) => sql.rows(FIND, { batch_uuid: batchId }));
      const found = toApplied(rows[0]);
      if (found !== undefined) session.accept(found.batchId);
      return found;
    },
    concerned: ({ tables, changes }) =>
      session.use('looking up tables', async (sql) => {
        const known = await registry(sql);
        const differs = ([id, [schema, name, exists]]: [string, readonly [string, string, boolean]]) => {
          const table = known.find((one) => one.id === Number(id));
          return table !== undefined && (table.dropped === exists || table.source.schema !== schema || table.source.name !== name);
        };
        const differing = Object.entries(tables).filter(differs);
        return [...new Set([...Object.keys(changes), ...differing.map(([id]) => id)].map(Number))];
      }),
    follow: async (cut, tables, source) => {
      const prepare = async () => {
        const prepared = await session.use('following schema changes', async (sql) => {
          await stageNothing(sql);
          return prepareTables(sql, await registry(sql), tables, {}, { last: session.seen });
        });
        return prepared.filter(({ evolution }) => evolution.changes.length > 0);
      };
      let changed = await prepare();
      const added = await addTables(changed, cut, source);
      if (added.length > 0) changed = await prepare();
      if (changed.length > 0) await followTables(changed, cut, source);
      return added.length + changed.length;
    },
    apply: async (batch, staged, tables, source) => {
      const started = performance.now();
      const prepare = () =>
        session.use('preparing', async (sql) =>
          prepareTables(sql, await registry(sql), tables, staged.contents.changes, { last: session.seen, wide: isWide(staged) }),
        );
      let prepared = await prepare();
      const added = await addTables(prepared, batch.cut, source);
      if (added.length > 0) prepared = await prepare();
      const cpu = process.cpuUsage();
      const few = isStaged(staged) && batchesOfMany === 0;
      // Every thread has rows of its own at each step.
      const write = () =>
        (few || isWide(staged) ? onlyOneThread : withOneThread)(engine, (onOneThread) =>
          session.writeBatch(`applying batch ${batch.id}`, async (sql, fence) => {
            const [held] = await sql.rows(HELD, { ordinal: batch.ordinal, cut: batch.cut, batch_uuid: batch.id });
            if (held !== undefined) {
              session.accept(Number(held.batch_id));
              throw new SluiceError(
                'lake_already_holds',
                `The lake holds batch ${batch.id} already`,
                'Nothing to do: it is finished at the source next.',
              );
            }
            fence.check();
            const { changed, quiet, ...done } = await applyStaged(sql, batch, staged, source, fence.lastBatchId + 1, prepared, onOneThread);
            return { ...done, changed: [...added, ...changed], quiet: quiet && added.length === 0 };
          }),
        );
      const applied = await (isBulky(staged) ? session.withoutInlining(write) : write());
      // Asking for the registry costs a transaction of the catalog, 30 ms of a small batch: it is what it was unless this batch changed it.
      const same = prepared.every(({ evolution }) => evolution.changes.length === 0 && evolution.replaces === undefined);
      cached = same && cached !== undefined ? { ...cached, at: applied.batchId } : undefined;
      if (applied.quiet) loads.kept(applied.batchId);
      // Not the time by the clock: that grows with whatever else runs on the machine, where more threads help least.
      const { user, system } = process.cpuUsage(cpu);
      if (batchesOfMany > 0) batchesOfMany -= 1;
      else if (few && user + system > SLOW_US * (1 + prepared.length)) batchesOfMany = BATCHES_OF_MANY;
      engine.log.debug(
        { batch: batch.id, batchId: applied.batchId, rows: applied.rows, ms: Math.round(performance.now() - started) },
        'batch applied',
      );
      await engine.exclusive(async (sql) => {
        await forgetStage(sql, isStaged(staged) ? 'TABLE' : 'VIEW');
        await sql.run('DROP TABLE IF EXISTS temp.typed_last').catch(() => undefined);
      });
      return applied;
    },
    recordGap: (gap) => session.amend('recording a gap', (sql, fence) => recordGap(sql, gap, fence.lastBatchId)),
    gaps: () => session.use('reading the gaps', readGaps),
    closeGap: (gapId, repaired) => session.amend('closing a gap', (sql) => closeGap(sql, gapId, repaired)),
    capGaps: (xid) => session.amend('renumbering gaps', (sql) => capGaps(sql, xid)),
    accounted: (ids) =>
      session.use('looking up batches', async (sql) => {
        const rows = await sql.rows(statement('accounted'), { ids: JSON.stringify(ids) });
        return rows.map(({ id }) => String(id));
      }),
    retain: (before, slice) =>
      session.write('taking old changes away', async (sql, fence) => {
        fence.check();
        const value = await retainSlice(sql, before, await registry(sql), slice);
        // Where there was nothing to do, nothing is committed.
        if (value !== undefined) await fence.touch();
        return { value, lastBatchId: fence.lastBatchId };
      }),
    source: () =>
      session.use('reading the ledger', async (sql) => {
        const [row] = await sql.rows(statement('source'));
        if (row === undefined) return undefined;
        return {
          systemIdentifier: String(row.system_identifier),
          timeline: Number(row.timeline),
          database: String(row.database),
          epoch: String(row.epoch),
          batch: text(row.batch),
          lastCut: String(row.cut),
          lastSeq: text(row.last_seq),
        };
      }),
  };
}

/** New tables in one transaction. DuckLake's commit grows faster than they do: 17 s for 1,000 at once, 4 s in ten transactions (a shared machine). */
const NEW_TABLES = 100;

/** Those that are nothing but new, and whose place nobody has to leave first. */
function newTables(prepared: readonly TableBatch[], registry: readonly LakeTable[]): TableBatch[] {
  return prepared
    .filter(({ evolution: { table, changes }, displaced }) => {
      const isNew = changes.length === 1 && changes[0]?.change === 'table_added' && displaced === undefined;
      return isNew && sameName(placeOf(table.wanted, registry), table.lake);
    })
    .map(({ evolution }) => ({ evolution, truncates: [], unable: [] }));
}

/** A batch on one thread that takes more CPU than this for each of its tables, and once more, has states so large that other threads help to find rows in them: */
const SLOW_US = 200_000;
/** so many after it have all threads, before one thread is tried again. */
const BATCHES_OF_MANY = 100;

const FIND = 'SELECT batch_uuid, batch_id, "rows", first_seq, last_seq FROM lake.sluice.batch WHERE batch_uuid = $batch_uuid::UUID';
// The ordinal and the cut change nothing in the answer (a batch keeps them), but let DuckLake skip the ledger's older files.
const HELD = `SELECT batch_id FROM lake.sluice.batch
  WHERE source_ordinal = $ordinal::BIGINT AND cut_ts = $cut::TIMESTAMPTZ AND batch_uuid = $batch_uuid::UUID LIMIT 1`;

async function applyStaged(
  sql: Sql,
  batch: Batch,
  staged: Staged,
  source: SourceIdentity,
  batchId: number,
  tables: readonly TableBatch[],
  onOneThread: OnOneThread,
): Promise<Applied> {
  const { contents, from } = staged;
  if (contents.batch !== batch.id) throw incomplete(`batch ${contents.batch} is staged, batch ${batch.id} was expected`);
  const log = async () => {
    if (contents.rows === 0) return;
    for (const one of from) {
      await sql
        .run(statement('log', { from: one }), { batch_id: batchId, tables: JSON.stringify(contents.tables) })
        .catch((error: unknown) => {
          throw staged.failure(error);
        });
    }
  };
  if (isStaged(staged)) await log();
  else {
    // One thread reads the source. The others of the engine would wait for it by spinning, and take a core from PostgreSQL where it runs beside.
    await onOneThread(sql, log);
    await stageLogged(sql, batchId);
  }
  const [found] = await sql.rows(statement('staged'));
  const rows = Number(found?.rows);
  if (rows !== contents.rows) throw incomplete(`${rows} rows arrived, ${contents.rows} were expected`);
  if (Number(found?.unordered) > 0) throw incomplete(`${found?.unordered} rows have no valid cdc_seq or cdc_ts`);
  const firstSeq = text(found?.first_seq);
  const lastSeq = text(found?.last_seq);
  await applyTables(sql, batchId, tables);
  await writeLedger(sql, batchId, batch, { rows, firstSeq, lastSeq }, source);
  const changed = tables.filter(({ evolution }) => evolution.changes.length > 0).map(({ evolution }) => evolution.table.id);
  const quiet =
    changed.length === 0 &&
    tables.every(({ evolution, truncates, unable }) => evolution.replaces === undefined && truncates.length + unable.length === 0);
  return { id: batch.id, batchId, rows, firstSeq, lastSeq, changed, quiet };
}

function toApplied(row: Row | undefined): Applied | undefined {
  if (row === undefined) return undefined;
  return {
    id: String(row.batch_uuid),
    batchId: Number(row.batch_id),
    rows: Number(row.rows),
    firstSeq: text(row.first_seq),
    lastSeq: text(row.last_seq),
    changed: [],
    quiet: false,
  };
}

function isStaged({ from }: Staged): boolean {
  return from[0] === STAGE;
}

/** Whether it is read in slices, for its rows are wide. */
function isWide({ from }: Staged): boolean {
  return from.length > 1;
}

/** Whether few rows of it may be large. */
function isBulky({ contents: { few, rows, toasted } }: Staged): boolean {
  return few == null ? toasted > BULKY_BYTES : few.length > BULKY_BYTES + rows * PLAIN_ROW;
}

/** A value of 90 kB in the catalog's statement makes a COMMIT of 0.3 s (a busy machine). */
const BULKY_BYTES = 30_000;
/** A change as JSON, generously. */
const PLAIN_ROW = 2_000;

function text(value: Row[string] | undefined): string | null {
  return value === null || value === undefined ? null : String(value);
}
