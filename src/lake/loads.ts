import { SluiceError } from '../model/error.ts';
import { isFill, type Loaded, type LoadMode, type OpenLoad } from '../model/load.ts';
import type { LakeTable } from '../model/table.ts';
import type { Loads, ReadLoad } from '../pipeline/ports.ts';
import type { LakeConfig } from './config.ts';
import type { Engine, Sql } from './engine.ts';
import { moveAnchor, writeQuiet } from './ledger.ts';
import { compareRows, completeCompare, keepSeen, prepareCompare } from './load-compare.ts';
import { DataFile, type FileTarget, findFileTarget } from './load-files.ts';
import { completeFills, fill, forgetFill, prepareFill } from './load-fill.ts';
import { mine, Read } from './load-read.ts';
import { findChanged, requestLoads, SEEN } from './load-sql.ts';
import { full, placesOf } from './places.ts';
import { register } from './registry.ts';
import type { RowSource } from './row-source.ts';
import type { Row } from './rows.ts';
import type { Fence, LakeSession } from './session.ts';
import { statement } from './statement.ts';

/** What the loads of a lake work with. */
export interface LoadsOptions {
  readonly engine: Engine;
  readonly session: LakeSession;
  readonly config: LakeConfig;
  readonly rows: RowSource;
  /** Chunks of fewer pages are inserted: below, a file of its own costs more than it saves. */
  readonly filePages?: number | undefined;
  readonly registry: (sql: Sql) => Promise<readonly LakeTable[]>;
  /** The registry was changed by a load. */
  readonly forgetRegistry: () => void;
}

/** The loads of a lake, and what to tell them. */
export interface LakeLoads extends Loads {
  /** A batch was applied that touched neither loads nor tables: what is known of them stays known. */
  kept(batchId: number): void;
}

/** 4 MB of a heap. */
const FILE_PAGES = 512;

export function openLoads({ engine, session, config, rows, registry, forgetRegistry, filePages = FILE_PAGES }: LoadsOptions): LakeLoads {
  let cached: { at: number; loads: readonly OpenLoad[] } | undefined;
  let count = 0;
  /** The engine's threads before readers took some. */
  let lent: number | undefined;
  let seen: { readonly id: string; readonly generation: number; readonly done: Map<number, number> } | undefined;

  let files: { readonly batchId: number | null; readonly target: Promise<FileTarget | undefined> } | undefined;

  /** Looked for once a load, for its table is what it was until it begins anew. */
  const fileTarget = async (load: OpenLoad): Promise<FileTarget | undefined> => {
    if (files?.batchId !== load.batchId) {
      const target = session.use('looking for folders', (sql) => findFileTarget(sql, config, load.table));
      target.catch(() => (files = undefined));
      files = { batchId: load.batchId, target };
    }
    return files.target;
  };

  const write = async <T>(doing: string, work: (sql: Sql, fence: Fence) => Promise<T>): Promise<T> => {
    const known = cached;
    // The commit may have happened though its answer is lost: then what is known is wrong, and the anchor does not say so.
    cached = undefined;
    const written = await session.amend(doing, work);
    cached = known;
    return written;
  };

  /** As `write`, for what makes the loads known so far wrong. */
  const changing = async <T>(doing: string, work: (sql: Sql, fence: Fence) => Promise<T>): Promise<T> => {
    const value = await write(doing, work);
    cached = undefined;
    return value;
  };

  /** What a comparison has seen is in the engine alone: one that another process, or an engine before this one, was at begins anew. */
  const asSeen = (load: OpenLoad): OpenLoad => {
    if (isFill(load) || load.batchId === null) return load;
    const mine = seen?.id === load.id && seen.generation === engine.generation;
    return { ...load, done: mine && seen ? new Map(seen.done) : new Map(), disturbed: load.disturbed || !mine };
  };

  return {
    kept: (batchId) => {
      if (cached) cached = { ...cached, at: batchId };
    },

    open: async ({ fresh }) => {
      if (!fresh && cached && cached.at === session.seen) return cached.loads.map(asSeen);
      const loads = await session.use('looking for loads', async (sql) => readOpen(sql, await registry(sql)));
      cached = { at: session.seen ?? -1, loads };
      return loads.map(asSeen);
    },

    find: (ids) =>
      session.use('looking for loads', async (sql) => {
        const rows = ids.length === 0 ? [] : await sql.rows(statement('load_find'), { ids: JSON.stringify(ids) });
        return new Map(
          rows.map((row) => [String(row.load_id), { done: row.done === true, ...(row.rows !== null && { result: countsOf(row) }) }]),
        );
      }),

    request: async (wanted) => {
      if (wanted.length === 0) return;
      const asked = wanted.map((one) => ({ ...one, asked: one.gapId === null }));
      const adopting = asked.filter(({ asked, mode }) => asked && mode !== 'verify');
      await changing('requesting loads', async (sql) => {
        const loads = adopting.map(({ id, tableId }) => ({ load_id: id, table_id: tableId }));
        if (loads.length > 0) await sql.run(statement('load_adopt'), { loads: JSON.stringify(loads) });
        await requestLoads(sql, asked);
      });
    },

    begin: async (wanted, horizon) => {
      cached = undefined;
      forgetRegistry();
      await session.write('beginning a load', async (sql, fence) => {
        fence.check();
        const last = fence.lastBatchId + wanted.length;
        // Rows of the next batch may still have the columns of before the last one: see LakeTable.before.
        const before = (await registry(sql)).filter((table) => table.before?.batch === fence.lastBatchId);
        const renumbered = before.map((table) => ({ ...table, before: { batch: last, columns: table.before?.columns ?? [] } }));
        await register(sql, renumbered);
        await forgetProgress(
          sql,
          wanted.map(({ load }) => load),
        );
        const begun: Record<string, string | number | null>[] = [];
        for (const [position, { load, plan }] of wanted.entries()) {
          // Another number where it begins anew: its rows come after the TRUNCATE that has disturbed it, and a process that still works for the old
          // one is told apart.
          const batchId = fence.lastBatchId + 1 + position;
          const table = renumbered.find(({ id }) => id === load.table.id) ?? load.table;
          const now = { ...load, batchId, table };
          if (!isFill(load)) await prepareCompare(sql, now);
          else if (table.held === undefined) await prepareFill(sql, now);
          else if (load.batchId !== null || load.disturbed) await forgetFill(sql, { ...load, table }, batchId);
          const hidden_since = load.mode === 'reset' ? 0 : load.mode === 'fill' && !table.held?.shown ? Number(table.held?.since) : null;
          begun.push({ load_id: load.id, mode: load.mode, batch_id: batchId, hidden_since, plan: JSON.stringify(plan) });
        }
        await moveAnchor(sql, last);
        await sql.run(statement('load_begin'), { loads: JSON.stringify(begun), horizon });
        return { value: undefined, lastBatchId: last };
      });
      forgetRegistry();
      const compared = wanted.find(({ load }) => !isFill(load))?.load;
      seen = compared && { id: compared.id, generation: engine.generation, done: new Map() };
    },

    readers: async (many) => {
      await engine.exclusive(async (sql) => {
        if (many === 0) await rows.release(sql);
        if (many > 0 === (lent !== undefined)) return;
        const [now] = await sql.rows("SELECT current_setting('threads') AS n");
        // The engine's own threads would wait for a reader by spinning: a load of 2 million rows takes 20 % more CPU, a comparison 40 %.
        await sql.run(`SET threads = ${lent ?? Math.max(1, Number(now?.n) - many)}`);
        lent = lent === undefined ? Number(now?.n) : undefined;
      });
    },

    read: async (load, { frozen, pages }, readerOf) => {
      const name = `load_${load.batchId}_${++count}`;
      const target = pages < filePages || !isFill(load) ? undefined : await fileTarget(load);
      const read = new Read(engine, name, target && new DataFile(target));
      await read.fill(load, rows, rows.native && !frozen, readerOf);
      return read;
    },

    apply: async (load, chunks) => {
      if (isFill(load))
        await write('loading rows', async (sql) => {
          await assertUndisturbed(sql, [{ load, chunks }]);
          await fill(sql, load, chunks.map(mine), await findChanged(sql, load));
          const done = chunks.map(({ chunk, rows }) => ({ chunk: chunk.index, rows: rows.rows }));
          await sql.run(statement('load_chunks'), { load_id: load.id, chunks: JSON.stringify(done) });
        });
      else
        for (const one of chunks) {
          await session.use('keeping what was read', (sql) => keepSeen(sql, load, mine(one).relation, one.chunk.relid));
          seen?.done.set(one.chunk.index, one.rows.rows);
        }
      for (const { rows } of chunks) await rows.forget();
      for (const { chunk, rows } of chunks) {
        const { id, table, batchId } = load;
        engine.log.debug({ load: id, table: table.id, batchId, chunk: chunk.index, rows: rows.rows }, 'chunk loaded');
      }
      if (cached) {
        const done = chunks.map((one) => [one.chunk.index, one.rows.rows] as const);
        const loads = cached.loads.map((one) => (one.id === load.id ? { ...one, done: new Map([...one.done, ...done]) } : one));
        cached = { at: session.seen ?? -1, loads };
      }
    },

    compare: (load) =>
      session.use('comparing rows', async (sql) => {
        await assertUndisturbed(sql, [{ load, chunks: [] }]);
        return compareRows(sql, load);
      }),

    complete: async (parts, cut, source) => {
      cached = undefined;
      forgetRegistry();
      const completed = await write('completing a load', async (sql, fence) => {
        await assertUndisturbed(sql, parts);
        const found = isFill(parts[0]?.load ?? { mode: 'fill' }) ? await filled(sql, parts) : await compared(sql, parts);
        const noted = found.filter(({ load, changes }) => isFill(load) || (load.mode !== 'verify' && changes > 0));
        if (noted.length > 0) {
          await writeQuiet(
            sql,
            noted.map(({ load }) => Number(load.batchId)),
            'load',
            cut,
            source,
          );
          const counted = noted.map(({ load, changes, state }) => ({
            batch_id: load.batchId,
            table_id: load.table.id,
            changes,
            rows: state,
          }));
          await sql.run(statement('load_counted'), { loads: JSON.stringify(counted) });
        }
        const loads = found.map(({ load, loaded }) => ({ load_id: load.id, ...loaded }));
        await sql.run(statement('load_done'), { loads: JSON.stringify(loads), done_batch: fence.lastBatchId });
        await forgetProgress(
          sql,
          parts.map(({ load }) => load),
        );
        return found.map(({ loaded }) => loaded);
      });
      forgetRegistry();
      for (const { again, chunks } of parts) for (const one of [...again, ...chunks.map(({ rows }) => rows)]) await one.forget();
      await engine.run('DROP TABLE IF EXISTS temp.load_difference');
      return completed;
    },

    tables: () =>
      session.use('looking up tables', async (sql) => (await registry(sql)).filter(({ dropped }) => !dropped).map(({ id }) => id)),

    ofGap: (gapId) =>
      session.use('looking up loads', async (sql) => {
        const rows = await sql.rows(statement('gap_loads'), { gap_id: gapId });
        return rows.map((row) => ({
          tableId: Number(row.table_id),
          batchId: row.batch_id === null ? null : Number(row.batch_id),
          horizon: row.horizon === null ? null : String(row.horizon),
          done: row.done === true,
          missing: Number(row.missing),
          different: Number(row.different),
          extra: Number(row.extra),
        }));
      }),

    drop: (load) =>
      changing('dropping a load', async (sql, fence) => {
        await forgetProgress(sql, [load]);
        await sql.run(statement('load_done'), { loads: JSON.stringify([{ load_id: load.id }]), done_batch: fence.lastBatchId });
      }),
  };
}

function countsOf({ rows, missing, different, extra }: Row): Loaded {
  return { rows: Number(rows), missing: Number(missing), different: Number(different), extra: Number(extra) };
}

/** What a load has come to, in the transaction that completes it. */
interface Completed {
  readonly load: OpenLoad;
  readonly loaded: Loaded;
  /** Rows that it has brought, changed or taken. */
  readonly changes: number;
  /** Rows of the state now. */
  readonly state: number;
}

async function filled(sql: Sql, parts: readonly ReadLoad[]): Promise<Completed[]> {
  const counts = await completeFills(
    sql,
    parts.map(({ load, chunks }) => ({ load, read: chunks.map(mine) })),
  );
  return parts.map(({ load, chunks }, position) => {
    const { missing, state } = counts[position] ?? { missing: 0, state: 0 };
    const rows = [...load.done.values(), ...chunks.map(({ rows }) => rows.rows)].reduce((sum, n) => sum + n, 0);
    return { load, loaded: { rows, missing, different: 0, extra: 0 }, changes: missing, state };
  });
}

async function compared(sql: Sql, parts: readonly ReadLoad[]): Promise<Completed[]> {
  const completed: Completed[] = [];
  for (const { load, again } of parts) {
    const counts = await completeCompare(
      sql,
      load,
      again.map((rows) => mine({ rows }).relation),
    );
    const changes = counts.missing + counts.different + counts.extra;
    const [counted] = changes === 0 ? [] : await sql.rows(`SELECT count(*) AS n FROM ${full(placesOf(load.table).state)}`);
    const rows = [...load.done.values()].reduce((sum, n) => sum + n, 0);
    completed.push({ load, loaded: { rows, ...counts }, changes, state: Number(counted?.n) });
  }
  return completed;
}

async function readOpen(sql: Sql, tables: readonly LakeTable[]): Promise<OpenLoad[]> {
  const rows = await sql.rows(statement('load_open'));
  const byId = new Map(tables.map((table) => [table.id, table]));
  return rows.flatMap((row) => {
    const table = byId.get(Number(row.table_id));
    if (table === undefined) return [];
    const mode = modeOf(table, String(row.mode) as LoadMode, row.batch_id !== null && row.disturbed === null);
    const done = row.done === null ? [] : (JSON.parse(String(row.done)) as { chunk: number; rows: number }[]);
    return [
      {
        id: String(row.load_id),
        table,
        mode,
        // Of a state that is made anew no row may be left out.
        sample: row.sample === null || isFill({ mode }) ? null : Number(row.sample),
        gapId: row.gap_id === null ? null : String(row.gap_id),
        batchId: row.batch_id === null ? null : Number(row.batch_id),
        plan: row.plan === null ? [] : JSON.parse(String(row.plan)),
        done: new Map(done.map(({ chunk, rows }) => [chunk, rows])),
        disturbed: row.disturbed !== null,
        horizon: row.horizon === null ? null : String(row.horizon),
      },
    ];
  });
}

/** What is to be done for a table, as it is when a load begins, or begins anew. */
function modeOf({ key, held }: LakeTable, mode: LoadMode, begun: boolean): LoadMode {
  if (begun) return mode;
  // Its rows are on their way, or another table has come in its place.
  if (held) return 'fill';
  const wanted = mode === 'fill' ? 'compare' : mode;
  // Without a key rows can't be compared: all of them are written once more.
  return key === null && (wanted === 'compare' || wanted === 'repair') ? 'full' : wanted;
}

/** In the transaction that needs it: a batch of this process may have come since a load was looked up, or another process may have begun it anew. */
async function assertUndisturbed(sql: Sql, parts: readonly Pick<ReadLoad, 'load' | 'chunks'>[]): Promise<void> {
  const loads = parts.map(({ load, chunks }) => ({ load_id: load.id, chunks: chunks.map(({ chunk }) => chunk.index) }));
  const rows = await sql.rows(statement('load_standing'), { loads: JSON.stringify(loads) });
  const standing = new Map(rows.map((row) => [String(row.load_id), row]));
  for (const { load } of parts) {
    const row = standing.get(load.id);
    // The anchor's value is the same before a chunk and after it, so that alone does not tell that another process, or this one, has had it.
    if (row === undefined || Number(row.batch_id) !== load.batchId || row.held === true) throw overtaken();
    if (row.disturbed === null) continue;
    throw new SluiceError('load_disturbed', 'A TRUNCATE or a change of the table came while it was loaded', 'None: the load begins anew.');
  }
}

function overtaken(): SluiceError {
  return new SluiceError('lake_conflict', 'Another process has gone on with this load', 'Run one daemon per lake. Nothing is lost.');
}

async function forgetProgress(sql: Sql, loads: readonly OpenLoad[]): Promise<void> {
  await sql.run(statement('load_forget'), { load_ids: JSON.stringify(loads.map(({ id }) => id)) });
  await sql.run(`DROP TABLE IF EXISTS temp.${SEEN}`);
}
