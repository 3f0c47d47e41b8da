import { SluiceError } from './error.ts';
import { lakeColumnNames } from './lake-names.ts';
import type { LakeColumn, LakeTable, Partition, SourceTable } from './table.ts';
import { mapType } from './types.ts';

/** A difference between a table of the source and what the lake has of it; a row of `sluice.schema_change`. */
export type SchemaChange =
  | { readonly change: 'table_added' }
  | { readonly change: 'table_dropped' }
  | { readonly change: 'table_replaced' }
  | { readonly change: 'table_renamed'; readonly from: string }
  | { readonly change: 'column_added'; readonly column: LakeColumn; readonly filled: unknown }
  | { readonly change: 'column_dropped'; readonly column: LakeColumn }
  | { readonly change: 'column_renamed'; readonly from: LakeColumn; readonly column: LakeColumn }
  | { readonly change: 'type_changed'; readonly from: LakeColumn; readonly column: LakeColumn }
  | { readonly change: 'key_changed' }
  /** Detached or dropped: its rows are no more the table's. */
  | { readonly change: 'partition_dropped'; readonly partition: Partition }
  | { readonly change: 'partition_added'; readonly partition: Partition }
  /** Came with rows that the log does not have. */
  | { readonly change: 'needs_load'; readonly partition: Partition };

export interface Evolution {
  readonly table: LakeTable;
  readonly changes: readonly SchemaChange[];
  /** The table whose typed log it goes on with: itself as it was, or one of the same name that is gone. Columns are matched by attnum. */
  readonly was?: LakeTable;
  /** The id of the one that is gone. */
  readonly replaces?: number;
}

/**
 * What has to change in the lake so that it holds a table as the source has it now. Pure.
 * @param known what the lake has under this id, if anything
 * @param others the other tables of the lake: their names are taken
 * @throws SluiceError schema_changed for a table with `evolve: stop`; config_invalid for a `types:` that does not fit
 */
export function evolve(known: LakeTable | undefined, now: SourceTable, others: readonly LakeTable[]): Evolution {
  if (now.relid === null) {
    if (known === undefined) return { table: { ...empty(now), dropped: true }, changes: [] };
    return { table: { ...known, dropped: true }, changes: known.dropped ? [] : [{ change: 'table_dropped' }], was: known };
  }
  if (known === undefined || known.dropped) return added(now, others);
  // A restored table has another oid, and its columns other numbers: a dump leaves dropped columns out.
  if (known.relid !== now.relid) return follow(byName(known, now), now, others);
  return follow(known, now, others);
}

function follow(known: LakeTable, now: SourceTable, others: readonly LakeTable[]): Evolution {
  if (now.evolve === 'freeze') return { table: { ...known, relid: now.relid }, changes: [], was: known };
  const columns = columnsOf(now);
  const changes: SchemaChange[] = [];
  const renamed = known.source.schema !== now.schema || known.source.name !== now.name;
  if (renamed) changes.push({ change: 'table_renamed', from: `${known.source.schema}.${known.source.name}` });
  for (const was of known.columns) {
    const column = columns.find(({ attnum }) => attnum === was.attnum);
    if (column === undefined) changes.push({ change: 'column_dropped', column: was });
    else {
      if (column.name !== was.name || column.source !== was.source) changes.push({ change: 'column_renamed', from: was, column });
      if (column.lakeType !== was.lakeType) changes.push({ change: 'type_changed', from: was, column });
    }
  }
  for (const column of columns) {
    if (!known.columns.some(({ attnum }) => attnum === column.attnum)) {
      changes.push({ change: 'column_added', column, filled: now.filled[column.attnum] ?? null });
    }
  }
  if (JSON.stringify(known.key) !== JSON.stringify(now.key)) changes.push({ change: 'key_changed' });
  if (changes.length > 0 && now.evolve === 'stop') {
    throw new SluiceError(
      'schema_changed',
      `${now.schema}.${now.name} has changed (${changes.map(({ change }) => change).join(', ')}) and is set to evolve: stop`,
      'Set evolve: follow for it in sluice.yaml, run `sluice track`, and start the daemon again. Nothing is lost: its changes wait.',
    );
  }
  changes.push(...partitionChanges(known, now));
  const lake = renamed ? placeOf(now, others) : known.lake;
  const names = lakeColumnNames(now.columns);
  return {
    table: {
      ...known,
      relid: now.relid,
      source: { schema: now.schema, name: now.name },
      lake,
      columns,
      left: leftOf(known, columns, names.own),
      key: now.key,
      own: names.own,
      partitions: partitionsOf(now),
    },
    changes,
    was: known,
  };
}

/** Of a restored table all partitions have other oids, and that tells nothing. */
function partitionChanges(known: LakeTable, now: SourceTable): SchemaChange[] {
  if (known.relid !== now.relid) return [];
  const gone = Object.entries(known.partitions).filter(([oid]) => !(oid in now.partitions));
  const come = Object.entries(now.partitions).filter(([oid]) => !(oid in known.partitions));
  return [
    ...gone.map(([, partition]): SchemaChange => ({ change: 'partition_dropped', partition })),
    ...come.flatMap(([, { name, bound, loaded }]): SchemaChange[] => {
      const partition = { name, bound };
      return [{ change: 'partition_added', partition }, ...(loaded ? [{ change: 'needs_load', partition } as const] : [])];
    }),
  ];
}

function partitionsOf({ partitions }: SourceTable): LakeTable['partitions'] {
  return Object.fromEntries(Object.entries(partitions).map(([oid, { name, bound }]) => [oid, { name, bound }]));
}

function empty(now: SourceTable): LakeTable {
  return {
    id: now.id,
    relid: now.relid,
    source: { schema: now.schema, name: now.name },
    lake: { schema: now.schema, name: now.name },
    columns: [],
    left: [],
    key: null,
    own: lakeColumnNames([]).own,
    partitions: partitionsOf(now),
    dropped: false,
  };
}

/** A table that the lake does not have: new, or in the place of one of the same name that is gone, whose typed log it goes on with. */
function added(now: SourceTable, tables: readonly LakeTable[]): Evolution {
  const before = tables.find(({ source }) => source.schema === now.schema && source.name === now.name);
  const columns = columnsOf(now);
  const own = lakeColumnNames(now.columns).own;
  if (!before)
    return { table: { ...empty(now), lake: placeOf(now, tables), columns, key: now.key, own }, changes: [{ change: 'table_added' }] };
  // Schema audit was made anew, and gave the same table another id.
  if (before.relid === now.relid && !before.dropped) return { ...follow({ ...before, id: now.id }, now, tables), replaces: before.id };
  const was = byName(before, now);
  const table = { ...empty(now), lake: before.lake, columns, key: now.key, own, left: leftOf(was, columns, own) };
  return { table, changes: [{ change: 'table_replaced' }], was, replaces: before.id };
}

/** The table with its columns numbered as those of the same name are now; what is there no more gets a number below zero. */
function byName(known: LakeTable, now: SourceTable): LakeTable {
  const number = (column: LakeColumn) => now.columns.find(({ name }) => name === column.source)?.attnum ?? -column.attnum;
  return { ...known, columns: known.columns.map((column) => ({ ...column, attnum: number(column) })) };
}

function columnsOf(now: SourceTable): LakeColumn[] {
  const names = lakeColumnNames(now.columns);
  return now.columns.map(({ attnum, name, type }) => {
    const override = Object.hasOwn(now.types, name) ? now.types[name] : undefined;
    const column = { attnum, name: names.source.get(attnum) ?? name, source: name, type, lakeType: mapType(type, override, name).lakeType };
    return override === undefined ? column : { ...column, override };
  });
}

/** Columns that stay in the typed log though the source has dropped them; one whose name is used anew gives way. */
function leftOf(known: LakeTable, columns: readonly LakeColumn[], own: LakeTable['own']): LakeTable['left'] {
  const gone = known.columns.filter((was) => !columns.some(({ attnum }) => attnum === was.attnum));
  const taken = new Set([...columns.map(({ name }) => name), ...Object.values(own)].map(fold));
  return [...known.left, ...gone].map(({ name, lakeType }) => {
    let free = name;
    for (let count = 1; taken.has(fold(free)); count += 1) free = `${name}_dropped${count > 1 ? `_${count}` : ''}`;
    taken.add(fold(free));
    return { name: free, lakeType };
  });
}

const RESERVED: ReadonlySet<string> = new Set(['main', 'sluice', 'information_schema', 'pg_catalog', 'temp', 'system']);

/**
 * Schema and name in the lake: the source's, but schemas that the lake needs itself, or whose name ends as those of typed log and history, get
 * the prefix `_sluice_`; of names that differ in case only, which DuckDB takes for one, later ones get the suffix `_2`, `_3` ….
 */
function placeOf({ schema, name }: SourceTable, others: readonly LakeTable[]): LakeTable['lake'] {
  const lakeSchema = RESERVED.has(fold(schema)) || /_(changes|history)$/i.test(schema) ? `_sluice_${schema}` : schema;
  const taken = new Set(others.map(({ lake }) => `${fold(lake.schema)}\0${fold(lake.name)}`));
  let free = name;
  for (let count = 2; taken.has(`${fold(lakeSchema)}\0${fold(free)}`); count += 1) free = `${name}_${count}`;
  return { schema: lakeSchema, name: free };
}

/** DuckDB compares identifiers byte by byte but for the case of ASCII letters. */
function fold(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => letter.toLowerCase());
}
