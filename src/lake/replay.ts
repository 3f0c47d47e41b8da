import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../model/error.ts';
import type { Evolution } from '../model/evolution.ts';
import type { SchemaStep } from '../model/schema-history.ts';
import type { LakeTable } from '../model/table.ts';
import { alterTable, makeHistory } from './ddl.ts';
import type { Sql } from './engine.ts';
import { requestLoads } from './load-sql.ts';
import { full, type Place, placesOf } from './places.ts';
import { prepareTable } from './prepare.ts';
import { readRegistry } from './registry.ts';
import { namesNow, takeOverLoad } from './replay-loads.ts';
import { type CompleteLoad, planSlices, readComplete, readSteps, type Slice } from './replay-plan.ts';
import { readHorizon } from './retain.ts';
import type { LakeSession } from './session.ts';
import { ident, literal } from './sql.ts';
import { stagedContents } from './stage.ts';
import { statement } from './statement.ts';
import { applyChanges, type TableBatch } from './typed-apply.ts';
import { type Typed, typeChanges } from './typing.ts';

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

/** A slice's rows lie in a temp table once as JSON and once typed, and spill where that is more than the memory limit. */
const SLICE_SIZE = 250_000;

/**
 * One rebuild of one table: where its tables beside the real ones are, and how far they are. Every method is one step on an acquired lake;
 * between two steps the lake may be let go.
 */
export class Replay {
  readonly #id: number;
  readonly #name: string;
  /** Where state and typed log are made. Another name each time: what an overtaken rebuild still writes must not land in ours. */
  readonly #aside: Place;
  /** Changes to replay in one transaction. */
  readonly #sliceSize: number;
  /** The table as of the last batch that was replayed, at its real place; undefined before its first step. */
  #table: LakeTable | undefined;
  /** See typeChanges. */
  #filled: Readonly<Record<string, unknown>> = {};
  #changes = 0;
  /** Where rows of sluice.loss are this table's: batches from `from` on, below `to`. */
  #named: { place: Place; from: number; to: number }[] = [];
  /** Numbers of loads whose rows were taken over. */
  readonly #taken = new Set<number>();
  /** All that led to the table's columns, as of the last plan. */
  #steps: readonly SchemaStep[] = [];

  constructor({ id, lake: { schema, name } }: LakeTable, sliceSize = SLICE_SIZE) {
    this.#id = id;
    this.#name = name;
    this.#aside = { schema, name: `${asidePrefix(name)}${crypto.randomUUID().slice(0, 8)})` };
    this.#sliceSize = sliceSize;
  }

  /** Make ready, and remove what was left. */
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

  /** Move the anchor, so that a daemon's batch at the same time is the one to fail. */
  async claim(session: LakeSession): Promise<void> {
    await retrying(session, () =>
      session.write('asking for the lake', async (_, fence) => {
        await fence.touch();
        return { value: undefined, lastBatchId: fence.lastBatchId };
      }),
    );
  }

  /** What is to be replayed after batch `done`, and the last batch of it. */
  plan(session: LakeSession, done: number): Promise<{ slices: Slice[]; last: number }> {
    return session.use('looking for what to rebuild', async (sql) => {
      const [anchor] = await sql.rows('SELECT last_batch_id FROM lake.sluice.anchor');
      const end = Number(anchor?.last_batch_id);
      const steps = await readSteps(sql, this.#id, end);
      if (steps.length === 0) throw noHistory(this.#name);
      this.#named = steps.map(({ batchId, evolution }, index) => {
        return { place: evolution.table.lake, from: batchId, to: steps[index + 1]?.batchId ?? Number.MAX_SAFE_INTEGER };
      });
      this.#steps = steps;
      await this.#assertWhole(sql);
      const loads = await readComplete(sql, steps, end, this.#taken);
      const slices = await planSlices(sql, { steps, loads, done, table: this.#table, last: end, size: this.#sliceSize });
      return { slices, last: end };
    });
  }

  /** The log must still begin where the table does: asked again in the swap, for `retain` may have taken away what was to be replayed. */
  async #assertWhole(sql: Sql): Promise<void> {
    const [horizon, first] = [await readHorizon(sql), this.#steps[0]?.batchId];
    if (first === undefined || first > horizon) return;
    throw new SluiceError(
      'rebuild_log_pruned',
      `${this.#name} can't be made anew from the log: by retain, its changes up to batch ${horizon} are gone`,
      'Nothing has changed. Load the table anew from the source: sluice reset.',
    );
  }

  /** Replay a slice. `first`: as `claim` does. */
  async run(session: LakeSession, slice: Slice, first: boolean): Promise<void> {
    const table = this.#table;
    if (slice.loads) return this.#takeOver(session, table as LakeTable, slice.loads);
    const evolutions = slice.steps.length > 0 || table === undefined ? slice.steps : [{ table, changes: [], was: table }];
    const places = evolutions.map((one) => one.table.lake);
    const { batches, changes } = await session.use('typing', (sql) => this.#type(sql, slice, evolutions));
    await retrying(session, () =>
      session.write('replaying batches', async (sql, fence) => {
        for (const { batch, typed } of batches) {
          await alterTable(sql, batch.evolution);
          await applyChanges(sql, slice.last, batch, typed, { replayed: true });
        }
        if (first) await fence.touch();
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
    const now = evolutions.at(-1)?.table;
    this.#table = now && { ...now, held: undefined };
  }

  async #takeOver(session: LakeSession, table: LakeTable, loads: readonly CompleteLoad[]): Promise<void> {
    const real = this.#steps.at(-1)?.evolution.table as LakeTable;
    const { changes } = placesOf({ ...real, held: undefined });
    const from = full(changes);
    await retrying(session, () =>
      session.write('taking over loaded rows', async (sql, fence) => {
        const [there] = await sql.rows(
          "SELECT 1 FROM duckdb_tables() WHERE database_name = 'lake' AND schema_name = $schema AND table_name = $name",
          { ...changes },
        );
        // Where the typed log is gone, so are the loaded rows: the load that `swap` asks for brings them.
        for (const { batchId, anew } of there === undefined ? [] : loads) {
          const beside = this.#beside({ table, changes: [] }).table;
          await takeOverLoad(sql, beside, { batchId, anew, from, real, names: namesNow(this.#steps, table) });
        }
        return { value: undefined, lastBatchId: fence.lastBatchId };
      }),
    );
    for (const { batchId } of loads) this.#taken.add(batchId);
  }

  /** Put the new tables in the place of the old ones. Rejects with lake_conflict, leaving all as it was, when the lake has gone on from batch `done`. */
  async swap(session: LakeSession, done: number): Promise<Rebuilt> {
    const table = this.#table;
    if (table === undefined) throw noHistory(this.#name);
    return session.write('swapping in a rebuilt table', async (sql, fence) => {
      await this.#assertWhole(sql);
      if (fence.lastBatchId !== done) {
        throw new SluiceError('lake_conflict', `The lake has gone on to batch ${fence.lastBatchId}`, 'It is replayed as well.');
      }
      if ((await readComplete(sql, this.#steps, done, this.#taken)).length > 0) {
        throw new SluiceError('lake_conflict', 'A load was completed meanwhile', 'It is taken over as well.');
      }
      if ((await readRegistry(sql)).find(({ id }) => id === table.id)?.held) throw loading(table);
      const [aside, places] = [placesOf({ ...table, lake: this.#aside }), placesOf(table)];
      const hasState = table.key !== null && !table.dropped;
      await putInPlace(sql, aside.changes, places.changes);
      if (hasState) await putInPlace(sql, aside.state, places.state);
      await makeHistory(sql, table);
      // Those of loaded rows stay as the rows do.
      for (const { place, from, to } of this.#named) {
        await sql.run(
          `DELETE FROM lake.sluice.loss WHERE table_schema = ${literal(place.schema)} AND table_name = ${literal(place.name)}
             AND batch_id >= ${from} AND batch_id < ${to} AND cdc_seq >= 0`,
        );
      }
      const losses = await sql.run('INSERT INTO lake.sluice.loss FROM temp.rebuilt_loss');
      const [state] = hasState ? await sql.rows(`SELECT count(*) AS n FROM ${full(places.state)}`) : [];
      const rows = state === undefined ? null : Number(state.n);
      // The watermark adds up by how many rows the state grew; batches that met a damaged state counted wrong.
      if (rows !== null) await sql.run(statement('rebuilt_rows'), { table_id: table.id, rows });
      // Should the typed log have been damaged, so are the loaded rows that were taken over from it: only the source has them.
      if (!table.dropped) await requestLoads(sql, [{ tableId: table.id, mode: 'compare' }]);
      await fence.touch();
      const { schema, name } = table.lake;
      return { value: { schema, name, changes: this.#changes, rows, losses }, lastBatchId: fence.lastBatchId };
    });
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
    return { ...evolution, table: { ...table, lake, held: undefined }, ...(was && { was: { ...was, lake, held: undefined } }) };
  }
}

const LOSSES = `CREATE OR REPLACE TEMP TABLE rebuilt_loss
  (batch_id BIGINT, cdc_seq BIGINT, table_schema VARCHAR, table_name VARCHAR, column_name VARCHAR, reason VARCHAR)`;

function asidePrefix(name: string): string {
  return `${name} (sluice rebuild `;
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

export function isConflict(error: unknown): boolean {
  return error instanceof SluiceError && error.code === 'lake_conflict';
}

export function loading({ lake: { schema, name } }: LakeTable): SluiceError {
  return new SluiceError(
    'table_loading',
    `${schema}.${name} is being loaded from the source`,
    'Wait until the load is complete: sluice status.',
  );
}

function noHistory(name: string): SluiceError {
  return new SluiceError(
    'lake_damaged',
    `The lake does not know how ${name} came to have its columns (sluice.schema_history)`,
    'Something else wrote to schema sluice of the lake. Restore it from a backup.',
  );
}
