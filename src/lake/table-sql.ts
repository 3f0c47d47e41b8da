import type { LakeTable } from '../model/table.ts';
import { full, keyColumns, list, placesOf } from './places.ts';
import { ident } from './sql.ts';

export function namesOf(table: LakeTable): string[] {
  return table.columns.map(({ name }) => name);
}

/** Names of the key's columns in the key's order; none for a table without a key. */
export function keysOf(table: LakeTable): string[] {
  return keyColumns(table).map(({ name }) => name);
}

/** A key of which the lake can't hold a value is not in the state. */
export function whole(table: LakeTable): string {
  return keysOf(table)
    .map((name) => `${ident(name)} IS NOT NULL`)
    .join(' AND ');
}

/** That two relations have the same values in these columns. */
export function sameValues(names: readonly string[], one: string, other: string, by: '=' | 'IS NOT DISTINCT FROM' = '='): string {
  return names.map((name) => `${one}.${ident(name)} ${by} ${other}.${ident(name)}`).join(' AND ');
}

export function sameKey(table: LakeTable, one: string, other: string): string {
  return sameValues(keysOf(table), one, other);
}

/** What the parts of most statements are called. */
export function partsOf(table: LakeTable): Record<'changes' | 'state' | 'columns' | 'key' | 'op' | 'seq' | 'batch' | 'whole', string> {
  const places = placesOf(table);
  const { _op, _seq, _batch } = table.own;
  return {
    changes: full(places.changes),
    state: full(places.state),
    columns: list(namesOf(table)),
    key: list(keysOf(table)),
    op: ident(_op),
    seq: ident(_seq),
    batch: ident(_batch),
    whole: whole(table),
  };
}
