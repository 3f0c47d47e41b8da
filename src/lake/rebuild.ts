import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../model/error.ts';
import type { LakeTable } from '../model/table.ts';
import type { LakeConfig } from './config.ts';
import type { Engine } from './engine.ts';
import { readRegistry } from './registry.ts';
import { isConflict, loading, type Rebuilt, Replay } from './replay.ts';
import { LakeSession } from './session.ts';
import { whileLocked } from './while-locked.ts';

export interface RebuildOptions {
  /** Called after each slice: the number of the last batch that was replayed, and of the lake's last. */
  readonly progress?: (batch: number, last: number) => void | Promise<void>;
  /** Changes to replay in one transaction. */
  readonly sliceSize?: number;
}

/** How often the swap is tried while a daemon keeps committing. Between two tries only what came in meanwhile is replayed. */
const ATTEMPTS = 50;
/**
 * After so many, what is replayed moves the anchor too: a batch that is being applied at the same time fails by it, is tried again, and the daemon
 * backs off longer each time, until the swap comes through. Four rebuilds beside a daemon with work each second took 61 s without it, 37 s with it.
 */
const PATIENT_ATTEMPTS = 3;

/** The tables that the lake has or had with columns, by name. */
export async function readTables(engine: Engine, config: LakeConfig): Promise<LakeTable[]> {
  const session = new LakeSession(engine, config);
  try {
    await whileLocked(() => session.acquire());
    const tables = await session.use('reading the tables', (sql) => readRegistry(sql));
    const name = ({ source }: LakeTable) => `${source.schema}\0${source.name}`;
    return tables.filter(({ columns }) => columns.length > 0).sort((a, b) => (name(a) < name(b) ? -1 : 1));
  } finally {
    await session.close();
  }
}

/**
 * Make state and typed log of a table anew from the log, and put them in the place of what is there.
 *
 * The log is replayed, in slices of batches, through the code of the drain and the evolutions that `sluice.schema_history` has kept, into tables
 * beside the real ones; each slice is a lake transaction. The swap is one more, behind the fence: it holds only if the lake's last batch is the last
 * that was replayed. So a daemon may go on all the while: either its commit or the swap fails by the anchor, and is tried again.
 * Readers see the tables that were there until the swap commits. What a rebuild leaves behind that was killed, the next one of the table removes.
 *
 * @throws SluiceError as the lake's (see `openLake`); lake_damaged where the table's history is not in the lake; rebuild_overtaken
 */
export async function rebuildTable(engine: Engine, config: LakeConfig, table: LakeTable, options: RebuildOptions = {}): Promise<Rebuilt> {
  if (table.held) throw loading(table);
  const session = new LakeSession(engine, config);
  const replay = new Replay(table, options.sliceSize);
  try {
    await held(session, () => replay.begin(session));
    let done = 0;
    for (let attempt = 1; ; attempt += 1) {
      done = await catchUp(session, replay, done, attempt > PATIENT_ATTEMPTS, options.progress);
      try {
        return await held(session, () => replay.swap(session, done));
      } catch (error) {
        if (!isConflict(error)) throw error;
        if (attempt === ATTEMPTS) throw overtaken(table, error);
        await sleep(200 * Math.random());
      }
    }
  } catch (error) {
    // The lake may be the reason why it failed.
    await held(session, () => replay.removeAside(session)).catch(() => undefined);
    throw error;
  } finally {
    await session.close();
  }
}

/** Replay all that the lake has by now; `done`: the last batch that was replayed. Returns the last that is. `first`: see Replay.claim. */
async function catchUp(
  session: LakeSession,
  replay: Replay,
  done: number,
  first: boolean,
  progress: RebuildOptions['progress'],
): Promise<number> {
  if (first) await held(session, () => replay.claim(session));
  const { slices, last } = await held(session, () => replay.plan(session, done));
  for (const slice of slices) {
    await held(session, () => replay.run(session, slice, first));
    await progress?.(slice.last, last);
  }
  return last;
}

/** Use the lake for one step: a file is let go after it, so that the daemon has its turn. */
async function held<T>(session: LakeSession, work: (session: LakeSession) => Promise<T>): Promise<T> {
  await whileLocked(() => session.acquire());
  try {
    return await work(session);
  } finally {
    await session.release();
  }
}

function overtaken({ lake: { schema, name } }: LakeTable, cause: unknown): SluiceError {
  return new SluiceError(
    'rebuild_overtaken',
    `${schema}.${name} was not rebuilt: batches came in faster than they could be replayed`,
    'Nothing has changed. Run it again when less is written, or stop the daemon meanwhile.',
    { cause },
  );
}
