import { setTimeout as sleep } from 'node:timers/promises';
import type { TableContents } from '../model/batch.ts';
import { SluiceError } from '../model/error.ts';
import type { Evolution } from '../model/evolution.ts';
import { lineageOf, type SchemaStep } from '../model/schema-history.ts';
import type { LakeTable } from '../model/table.ts';
import type { LakeConfig } from './config.ts';
import { alterTable, makeHistory } from './ddl.ts';
import type { Engine, Sql } from './engine.ts';
import { full, type Place, placesOf } from './places.ts';
import { prepareTable } from './prepare.ts';
import { readRegistry } from './registry.ts';
import { readHorizon } from './retain.ts';
import { type Fence, LakeSession } from './session.ts';
import { ident, literal } from './sql.ts';
import { statement } from './statement.ts';
import { applyChanges, type TableBatch } from './typed-apply.ts';
import { type Typed, typeChanges } from './typing.ts';
import { whileLocked } from './while-locked.ts';

/** What a rebuild did. */
export interface Rebuilt {
  readonly schema: string;
  readonly name: string;
  /** Changes that were read from the log. */
  readonly changes: number;
  /** Rows of the state; null: the table has none (no key, or gone). */
  readonly rows: number | null;
  /** Values that the lake's types can't hold: rows of sluice.loss. */
  readonly losses: number;
}

export interface RebuildOptions {
  /** Called after each slice: the number of the last batch that was replayed, and of the lake's last. */
  readonly progress?: (batch: number, last: number) => void | Promise<void>;
  /** Changes to replay in one transaction. */
  readonly sliceSize?: number;
}

/** A slice's rows lie in a temp table once as JSON and once typed, and spill where that is more than the memory limit. */
const SLICE_SIZE = 250_000;
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
 * @throws SluiceError as the lake's (see `openLake`); lake_damaged where the table's history is not in the lake; rebuild_overtaken;
 * rebuild_log_pruned where `retain` has taken away changes from before
 */
export async function rebuildTable(engine: Engine, config: LakeConfig, table: LakeTable, options: RebuildOptions = {}): Promise<Rebuilt> {
  const session = new LakeSession(engine, config);
  const replay = new Replay(table, options);
  try {
    await held(session, () => replay.begin(session));
    for (let attempt = 1; ; attempt += 1) {
      await replay.catchUp(session, attempt > PATIENT_ATTEMPTS);
      try {
        return await held(session, () => replay.swap(session));
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

/** Use the lake for one step: a file is let go after it, so that the daemon has its turn. */
async function held<T>(session: LakeSession, work: (session: LakeSession) => Promise<T>): Promise<T> {
  await whileLocked(() => session.acquire());
  try {
    return await work(session);
  } finally {
    await session.release();
  }
}

/** One rebuild of one table: where its tables beside the real ones are, and how far they are. */
class Replay {
  readonly #id: number;
  readonly #name: string;
  /** Where state and typed log are made. Another name each time: what an overtaken rebuild still writes must not land in ours. */
  readonly #aside: Place;
  readonly #options: RebuildOptions;
  /** The last batch that was replayed. */
  #done = 0;
  /** The table as of that batch, at its real place; undefined before its first step. */
  #table: LakeTable | undefined;
  /** See typeChanges. */
  #filled: Readonly<Record<string, unknown>> = {};
  #changes = 0;
  /** The batch with which the table came. */
  #first: number | undefined;
  /** Where rows of sluice.loss are this table's: batches from `from` on, below `to`. */
  #named: { place: Place; from: number; to: number }[] = [];

  constructor({ id, lake: { schema, name } }: LakeTable, options: RebuildOptions) {
    this.#id = id;
    this.#name = name;
    this.#aside = { schema, name: `${asidePrefix(name)}${crypto.randomUUID().slice(0, 8)})` };
    this.#options = options;
  }

  async begin(session: LakeSession): Promise<void> {
    await session.use('preparing a rebuild', (sql) => sql.run(LOSSES));
    await this.removeAside(session);
  }

  /** Drop what rebuilds of this table have left. One that still runs fails at its next slice. */
  async removeAside(session: LakeSession): Promise<void> {
    await session.write('removing the tables of a rebuild', async (sql, fence) => {
      const { schema } = this.#aside;
      const left = await sql.rows(
        `SELECT schema_name, table_name FROM duckdb_tables() WHERE database_name = 'lake' AND schema_name IN ($state, $changes)
           AND starts_with(table_name, $prefix)`,
        { state: schema, changes: `${schema}_changes`, prefix: asidePrefix(this.#name) },
      );
      for (const { schema_name, table_name } of left) {
        await sql.run(`DROP TABLE ${full({ schema: String(schema_name), name: String(table_name) })}`);
      }
      return { value: undefined, lastBatchId: fence.lastBatchId };
    });
  }

  /** Replay all that the lake has by now. `first`: a daemon's batch at the same time is the one to fail. */
  async catchUp(session: LakeSession, first = false): Promise<void> {
    if (first) await held(session, () => retrying(session, () => session.write('asking for the lake', touch)));
    const { slices, last } = await held(session, () => this.#plan(session));
    for (const slice of slices) {
      await held(session, () => this.#replay(session, slice, first));
      await this.#options.progress?.(slice.last, last);
    }
    this.#done = last;
  }

  /** Put the new tables in the place of the old ones. Rejects with lake_conflict, leaving all as it was, when the lake has gone on. */
  async swap(session: LakeSession): Promise<Rebuilt> {
    const table = this.#table;
    if (table === undefined) throw noHistory(this.#name);
    return session.write('swapping in a rebuilt table', async (sql, fence) => {
      await this.#assertWhole(sql);
      if (fence.lastBatchId !== this.#done) {
        throw new SluiceError('lake_conflict', `The lake has gone on to batch ${fence.lastBatchId}`, 'It is replayed as well.');
      }
      const [aside, places] = [placesOf({ ...table, lake: this.#aside }), placesOf(table)];
      const hasState = table.key !== null && !table.dropped;
      await putInPlace(sql, aside.changes, places.changes);
      if (hasState) await putInPlace(sql, aside.state, places.state);
      await makeHistory(sql, table);
      for (const { place, from, to } of this.#named) {
        await sql.run(
          `DELETE FROM lake.sluice.loss WHERE table_schema = ${literal(place.schema)} AND table_name = ${literal(place.name)}
             AND batch_id >= ${from} AND batch_id < ${to}`,
        );
      }
      const losses = await sql.run('INSERT INTO lake.sluice.loss FROM temp.rebuilt_loss');
      const [state] = hasState ? await sql.rows(`SELECT count(*) AS n FROM ${full(places.state)}`) : [];
      const rows = state === undefined ? null : Number(state.n);
      // The watermark adds up by how many rows the state grew; batches that met a damaged state counted wrong.
      if (rows !== null) await sql.run(statement('rebuilt_rows'), { table_id: table.id, rows });
      await touch(sql, fence);
      const { schema, name } = table.lake;
      return { value: { schema, name, changes: this.#changes, rows, losses }, lastBatchId: fence.lastBatchId };
    });
  }

  /** The log must still begin where the table does: asked again in the swap, for `retain` may have taken away what was to be replayed. */
  async #assertWhole(sql: Sql): Promise<void> {
    const horizon = await readHorizon(sql);
    if (this.#first === undefined || this.#first > horizon) return;
    throw new SluiceError(
      'rebuild_log_pruned',
      `${this.#name} can't be made anew from the log: by retain, its changes up to batch ${horizon} are gone`,
      'Nothing has changed. Load the table anew from the source, by sluice snapshot --full.',
    );
  }

  /** What is to be replayed: steps each with its batch, and between them slices of batches that changed no columns. */
  #plan(session: LakeSession): Promise<{ slices: Slice[]; last: number }> {
    return session.use('looking for what to rebuild', async (sql) => {
      const [anchor] = await sql.rows('SELECT last_batch_id FROM lake.sluice.anchor');
      const end = Number(anchor?.last_batch_id);
      const steps = lineageOf(await readSteps(sql, end), this.#id);
      if (steps.length === 0) throw noHistory(this.#name);
      this.#first = steps[0]?.batchId;
      await this.#assertWhole(sql);
      this.#named = steps.map(({ batchId, evolution }, index) => {
        return { place: evolution.table.lake, from: batchId, to: steps[index + 1]?.batchId ?? Number.MAX_SAFE_INTEGER };
      });
      const ahead = steps.filter(({ batchId }) => batchId > this.#done);
      const slices: Slice[] = [];
      const quiet = async (table: LakeTable | undefined, first: number, last: number) => {
        // Of a table that is gone nothing more is typed.
        if (table === undefined || table.dropped || first > last) return;
        const size = this.#options.sliceSize ?? SLICE_SIZE;
        for (const row of await sql.rows(statement('slices'), { table_id: table.id, first, last, size })) {
          slices.push({ first: Number(row.first), last: Number(row.last), steps: [] });
        }
      };
      let [table, next] = [this.#table, this.#done + 1];
      for (const batchId of new Set(ahead.map((step) => step.batchId))) {
        await quiet(table, next, batchId - 1);
        const mine = ahead.filter((step) => step.batchId === batchId);
        slices.push({ first: batchId, last: batchId, steps: mine.map(({ evolution }) => evolution) });
        [table, next] = [mine.at(-1)?.evolution.table, batchId + 1];
      }
      await quiet(table, next, end);
      return { slices, last: end };
    });
  }

  async #replay(session: LakeSession, slice: Slice, first: boolean): Promise<void> {
    const table = this.#table;
    const evolutions = slice.steps.length > 0 || table === undefined ? slice.steps : [{ table, changes: [], was: table }];
    const places = evolutions.map((one) => one.table.lake);
    const { batches, changes } = await session.use('typing', (sql) => this.#type(sql, slice, evolutions));
    await retrying(session, () =>
      session.write('replaying batches', async (sql, fence) => {
        for (const { batch, typed } of batches) {
          await alterTable(sql, batch.evolution);
          await applyChanges(sql, slice.last, batch, typed, { replayed: true });
        }
        if (first) await touch(sql, fence);
        return { value: undefined, lastBatchId: fence.lastBatchId };
      }),
    );
    await session.use('noting losses', async (sql) => {
      for (const [index, { typed, batch }] of batches.entries()) {
        const place = places[index];
        if (!typed || typed.losses.length === 0 || batch.evolution.table.dropped || !place) continue;
        const params = { table_schema: place.schema, table_name: place.name, losses: JSON.stringify(typed.losses) };
        await sql.run(statement('rebuilt_losses'), params);
      }
    });
    this.#changes += changes;
    this.#table = evolutions.at(-1)?.table;
  }

  /** Type the slice's rows. Several steps of one table in one batch: the last one knows the columns that the rows are to have. */
  async #type(
    sql: Sql,
    { first, last }: Slice,
    evolutions: readonly Evolution[],
  ): Promise<{ batches: { batch: TableBatch; typed: Typed | undefined }[]; changes: number }> {
    const ids = [...new Set(evolutions.flatMap(({ table, replaces }) => [table.id, ...(replaces === undefined ? [] : [replaces])]))].join(
      ', ',
    );
    const number = first === last ? 'l.cdc_seq' : 'row_number() OVER (ORDER BY l.batch_id, l.cdc_seq)';
    await sql.run(statement('stage_logged', { ids, number }), { first, last });
    const contents = await stagedContents(sql);
    const batches: { batch: TableBatch; typed: Typed | undefined }[] = [];
    for (const [index, evolution] of evolutions.entries()) {
      const { id } = evolution.table;
      this.#filled = filledBy(this.#filled, evolution);
      const own = evolutions.findLastIndex(({ table }) => table.id === id) === index;
      const beside = this.#beside(evolution);
      const batch = await prepareTable(sql, beside, own ? contents.get(id) : undefined, { filled: this.#filled });
      batches.push({ batch, typed: batch.toType && (await typeChanges(sql, beside, batch.toType)) });
    }
    return { batches, changes: [...contents.values()].reduce((sum, { rows }) => sum + rows, 0) };
  }

  #beside({ table, was, ...evolution }: Evolution): Evolution {
    const lake = this.#aside;
    return { ...evolution, table: { ...table, lake }, ...(was && { was: { ...was, lake } }) };
  }
}

interface Slice {
  /** The first and the last of its batches. */
  readonly first: number;
  readonly last: number;
  /** Evolutions that belong to its one batch. */
  readonly steps: readonly Evolution[];
}

/** What lies in temp.stage, by table id. */
async function stagedContents(sql: Sql): Promise<Map<number, TableContents>> {
  const rows = await sql.rows(statement('staged_contents'));
  const truncates = await sql.rows(statement('staged_truncates'));
  const text = (value: unknown) => (value === null || value === undefined ? null : String(value));
  return new Map(
    rows.map(({ table_id, n, last_seq, context }) => [
      Number(table_id),
      {
        rows: Number(n),
        lastSeq: String(last_seq),
        context: context === true,
        truncates: truncates
          .filter((row) => row.table_id === table_id)
          .map((row) => ({ seq: String(row.cdc_seq), bound: text(row.bound), partition: text(row.partition) })),
      },
    ]),
  );
}

const LOSSES = `CREATE OR REPLACE TEMP TABLE rebuilt_loss
  (batch_id BIGINT, cdc_seq BIGINT, table_schema VARCHAR, table_name VARCHAR, column_name VARCHAR, reason VARCHAR)`;

function asidePrefix(name: string): string {
  return `${name} (sluice rebuild `;
}

async function readSteps(sql: Sql, last: number): Promise<SchemaStep[]> {
  const rows = await sql.rows(statement('schema_steps'), { last });
  return rows.map((row) => ({ batchId: Number(row.batch_id), evolution: JSON.parse(String(row.evolution)) }));
}

/** What rows of before have in columns that were added; another table of the same name has other columns. */
function filledBy(before: Readonly<Record<string, unknown>>, { changes }: Evolution): Readonly<Record<string, unknown>> {
  const filled: Record<string, unknown> = changes.some(({ change }) => change === 'table_replaced') ? {} : { ...before };
  for (const one of changes) if (one.change === 'column_added' && one.filled !== null) filled[one.column.attnum] = one.filled;
  return filled;
}

async function putInPlace(sql: Sql, from: Place, to: Place): Promise<void> {
  await sql.run(`DROP TABLE IF EXISTS ${full(to)}`);
  if (from.schema === to.schema) {
    await sql.run(`ALTER TABLE ${full(from)} RENAME TO ${ident(to.name)}`);
    return;
  }
  // Renamed into another schema meanwhile; DuckDB moves no table there.
  await sql.run(`CREATE TABLE ${full(to)} AS FROM ${full(from)}`);
  await sql.run(`DROP TABLE ${full(from)}`);
}

/** An update that changes nothing is still one for DuckLake: it fences as a batch is fenced. */
async function touch(sql: Sql, { lastBatchId }: Fence): Promise<{ value: undefined; lastBatchId: number }> {
  await sql.run('UPDATE lake.sluice.anchor SET last_batch_id = last_batch_id');
  return { value: undefined, lastBatchId };
}

/** A slice can be tried again after a conflict alone: then it has left nothing. */
async function retrying(session: LakeSession, attempt: () => Promise<void>): Promise<void> {
  for (let left = 10; ; left -= 1) {
    try {
      return await attempt();
    } catch (error) {
      if (!isConflict(error) || left === 0) throw error;
      await sleep(200 * Math.random());
      await session.acquire();
    }
  }
}

function isConflict(error: unknown): boolean {
  return error instanceof SluiceError && error.code === 'lake_conflict';
}

function noHistory(name: string): SluiceError {
  return new SluiceError(
    'lake_damaged',
    `The lake does not know how ${name} came to have its columns (sluice.schema_history)`,
    'Something else wrote to schema sluice of the lake. Restore it from a backup.',
  );
}

function overtaken({ lake: { schema, name } }: LakeTable, cause: unknown): SluiceError {
  return new SluiceError(
    'rebuild_overtaken',
    `${schema}.${name} was not rebuilt: batches came in faster than they could be replayed`,
    'Nothing has changed. Run it again when less is written, or stop the daemon meanwhile.',
    { cause },
  );
}
