import type { Evolution } from './evolution.ts';

/** An evolution as the lake carried it out: a row of `sluice.schema_history`. */
export interface SchemaStep {
  readonly batchId: number;
  readonly evolution: Evolution;
}

/**
 * The steps that led to the typed log which the table of this id has now, oldest first: its own, and those of the tables in whose place it came.
 * An id can have meant another table before, where schema audit was made anew.
 * @param steps all of the lake's, in the order in which they were carried out
 */
export function lineageOf(steps: readonly SchemaStep[], id: number): readonly SchemaStep[] {
  const lineages = new Map<number, SchemaStep[]>();
  for (const step of steps) {
    const { table, changes, replaces } = step.evolution;
    const anew = changes.some(({ change }) => change === 'table_added');
    const line = anew ? [] : (lineages.get(replaces ?? table.id) ?? []);
    if (replaces !== undefined) lineages.delete(replaces);
    lineages.set(table.id, [...line, step]);
  }
  return lineages.get(id) ?? [...lineages.values()].find((line) => line.some(({ evolution }) => evolution.table.id === id)) ?? [];
}
