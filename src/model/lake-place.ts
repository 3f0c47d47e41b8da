import { fold, isReservedSchema } from './lake-names.ts';
import type { LakeTable, Name, SourceTable } from './table.ts';

/** What the user wants a table to be called in the lake: by his `rename:`, else as in the source. */
export function wantedName({ schema, name, rename }: Pick<SourceTable, 'schema' | 'name' | 'rename'>): Name {
  return rename ?? { schema, name };
}

export function sameName(one: Name, other: Name): boolean {
  return one.schema === other.schema && one.name === other.name;
}

/**
 * Schema and name in the lake: those wanted, but schemas that the lake needs itself, or whose name ends as those of typed log and history, get
 * the prefix `_sluice_`; of names that differ in case only, which DuckDB takes for one, later ones get the suffix `_2`, `_3` …. So does one whose
 * name a table has that is gone, for its typed log stays.
 * @param mine where it is so far: a name that differs from that in case only would be its own obstacle
 */
export function placeOf({ schema, name }: Name, others: readonly LakeTable[], mine?: Name): Name {
  const lakeSchema = lakeSchemaOf(schema);
  // Names first, and no set of all places: a thousand tables that come at once ask this of each other.
  const isTaken = (free: string) => {
    const wanted = placesOf({ schema: lakeSchema, name: free });
    return others.some(({ lake }) => fold(lake.name) === fold(free) && placesOf(lake).some((place) => wanted.includes(place)));
  };
  let free = name;
  for (let count = 2; isTaken(free); count += 1) free = `${name}_${count}`;
  const [place] = placesOf({ schema: lakeSchema, name: free });
  return mine && placesOf(mine)[0] === place ? mine : { schema: lakeSchema, name: free };
}

function lakeSchemaOf(schema: string): string {
  return isReservedSchema(schema) ? `_sluice_${schema}` : schema;
}

/** State, typed log and history: a source schema may be called `_sluice_a`, and another `a_changes`. */
function placesOf({ schema, name }: Name): string[] {
  return ['', '_changes', '_history'].map((suffix) => `${fold(schema)}${suffix}\0${fold(name)}`);
}

/**
 * The order in which tables find their names free: what is gone first, and before a table the one that is about to leave the name which it wants.
 * In a circle, as where two tables exchange their names, one finds it taken all the same.
 */
export function inOrder(tables: readonly SourceTable[], known: readonly LakeTable[]): SourceTable[] {
  const byId = new Map(known.map((table) => [table.id, table]));
  const leaving = new Map<string, SourceTable>();
  for (const table of tables) {
    const was = byId.get(table.id);
    if (was && table.relid !== null && !sameName(was.wanted, wantedName(table))) {
      for (const place of placesOf(was.lake)) leaving.set(place, table);
    }
  }
  const ordered = new Set(tables.filter(({ relid }) => relid === null));
  const waiting = new Set<SourceTable>();
  const visit = (table: SourceTable) => {
    if (ordered.has(table) || waiting.has(table)) return;
    waiting.add(table);
    const { schema, name } = wantedName(table);
    for (const place of placesOf({ schema: lakeSchemaOf(schema), name })) {
      const holder = leaving.get(place);
      if (holder) visit(holder);
    }
    ordered.add(table);
  };
  for (const table of tables) visit(table);
  return [...ordered];
}

/** Tables, each with the ones before it, that are to have one name in the lake because a `rename:` says so. */
export function collisions<T extends Pick<SourceTable, 'schema' | 'name' | 'rename'>>(tables: readonly T[]): [T, T][] {
  const found: [T, T][] = [];
  const first = new Map<string, T>();
  for (const table of tables) {
    const { schema, name } = wantedName(table);
    const [place = ''] = placesOf({ schema: lakeSchemaOf(schema), name });
    const other = first.get(place);
    if (other === undefined) first.set(place, table);
    else if (table.rename ?? other.rename) found.push([other, table]);
  }
  return found;
}
