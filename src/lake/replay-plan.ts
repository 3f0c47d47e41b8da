import type { Evolution } from '../model/evolution.ts';
import { lineageOf, type SchemaStep } from '../model/schema-history.ts';
import type { LakeTable } from '../model/table.ts';
import type { Sql } from './engine.ts';
import { statement } from './statement.ts';

/** What is replayed in one transaction. */
export interface Slice {
  /** The first and the last of its batches. */
  readonly first: number;
  readonly last: number;
  /** Evolutions that belong to its one batch. */
  readonly steps: readonly Evolution[];
  /** Loads that were complete after its last batch: their rows are not in the log, and are taken over from the typed log that there is. */
  readonly loads?: readonly CompleteLoad[];
}

export interface CompleteLoad {
  /** Its number, which its rows carry. */
  readonly batchId: number;
  /** The batch after which it was complete. */
  readonly done: number;
  /** Rows of before that it does not have are gone. */
  readonly anew: boolean;
}

/** All that led to the columns of table `id` by batch `last`, in order. */
export async function readSteps(sql: Sql, id: number, last: number): Promise<readonly SchemaStep[]> {
  const rows = await sql.rows(statement('schema_steps'), { last });
  const steps = rows.map((row) => ({ batchId: Number(row.batch_id), evolution: JSON.parse(String(row.evolution)) }));
  return lineageOf(steps, id);
}

/** Loads of the table of these steps that were complete by batch `last`, but for those that are `taken` over already. */
export async function readComplete(
  sql: Sql,
  steps: readonly SchemaStep[],
  last: number,
  taken: ReadonlySet<number>,
): Promise<CompleteLoad[]> {
  const ids = [...new Set(steps.map(({ evolution }) => evolution.table.id))].join(', ');
  const rows = await sql.rows(statement('replayed_loads', { ids }), { last });
  const loads = rows.map(({ batch_id, done_batch, mode }) => {
    return { batchId: Number(batch_id), done: Number(done_batch), anew: mode === 'full' || mode === 'reset' };
  });
  return loads.filter(({ batchId }) => !taken.has(batchId));
}

export interface ToPlan {
  readonly steps: readonly SchemaStep[];
  /** What `readComplete` returns. */
  readonly loads: readonly CompleteLoad[];
  /** The last batch that was replayed, and the table as of it: undefined before its first step. */
  readonly done: number;
  readonly table: LakeTable | undefined;
  /** The last batch to replay. */
  readonly last: number;
  /** Changes to replay in one transaction. */
  readonly size: number;
}

/** What is to be replayed after batch `done`: steps each with its batch, and between them slices of batches that changed no columns. */
export async function planSlices(sql: Sql, { steps, loads, done, table: from, last: end, size }: ToPlan): Promise<Slice[]> {
  const slices: Slice[] = [];
  const batches = async (table: LakeTable, first: number, last: number) => {
    if (first > last) return;
    for (const row of await sql.rows(statement('slices'), { table_id: table.id, first, last, size })) {
      slices.push({ first: Number(row.first), last: Number(row.last), steps: [] });
    }
  };
  const quiet = async (table: LakeTable | undefined, first: number, last: number) => {
    // Of a table that is gone nothing more is typed.
    if (table === undefined || table.dropped) return;
    let next = first;
    // A load may have ended with the batch of the step before.
    for (const { done: ended } of loads.filter((load) => load.done >= first - 1 && load.done <= last)) {
      if (slices.at(-1)?.loads && slices.at(-1)?.last === ended) continue;
      await batches(table, next, ended);
      slices.push({ first: ended, last: ended, steps: [], loads: loads.filter((load) => load.done === ended) });
      next = Math.max(next, ended + 1);
    }
    await batches(table, next, last);
  };
  const ahead = steps.filter(({ batchId }) => batchId > done);
  let [table, next] = [from, done + 1];
  for (const batchId of new Set(ahead.map((step) => step.batchId))) {
    await quiet(table, next, batchId - 1);
    const mine = ahead.filter((step) => step.batchId === batchId);
    slices.push({ first: batchId, last: batchId, steps: mine.map(({ evolution }) => evolution) });
    [table, next] = [mine.at(-1)?.evolution.table, batchId + 1];
  }
  await quiet(table, next, end);
  return slices;
}
