import type { LakeColumn, LakeTable } from '../model/table.ts';
import { ident } from './sql.ts';

export interface Place {
  readonly schema: string;
  readonly name: string;
}

/** Where a table of the source lies in the lake. A state that is not complete yet lies under a name that nobody asks for. */
export function placesOf({ lake: { schema, name }, held }: LakeTable): { state: Place; changes: Place; history: Place } {
  return {
    state: { schema, name: held ? `${name} (sluice load)` : name },
    changes: { schema: `${schema}_changes`, name },
    history: { schema: `${schema}_history`, name },
  };
}

/** Quoted and without the catalog: as views name it, which must not know under what name the lake is attached. */
export function inLake({ schema, name }: Place): string {
  return `${ident(schema)}.${ident(name)}`;
}

/** Quoted, with the name that the engine attaches the lake under. */
export function full(place: Place): string {
  return `lake.${inLake(place)}`;
}

/** The key's columns in the key's order; none for a table without a key. */
export function keyColumns(table: LakeTable): LakeColumn[] {
  return (table.key ?? []).flatMap((attnum) => table.columns.filter((column) => column.attnum === attnum));
}

/** Names of columns as a list for a SELECT, each behind a prefix such as `t.`. */
export function list(names: readonly string[], prefix = ''): string {
  return names.map((name) => prefix + ident(name)).join(', ');
}
