import { SluiceError } from './error.ts';
import { fold, lakeColumnNames } from './lake-names.ts';
import { placeOf, sameName, wantedName } from './lake-place.ts';
import type { LakeColumn, LakeTable, Partition, SourceTable } from './table.ts';
import { mapType } from './types.ts';

/** A difference between a table of the source and what the lake has of it; a row of `sluice.schema_change`. */
export type SchemaChange =
  | { readonly change: 'table_added' }
  | { readonly change: 'table_dropped' }
  | { readonly change: 'table_replaced' }
  /** In the lake, `from` the name that it had there; where it keeps that, in the source alone. */
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
  /** The id whose row of `sluice.table` this one takes over: of one that is gone, or its own when there is more to note than its changes say. */
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
  if (known === undefined) return added(now, others);
  // A source that was restored to a time before the table was dropped: its typed log and history are still there.
  if (known.dropped) return replaced(known, now, others);
  // A restored table has another oid, and its columns other numbers, which the next rename has to be held against.
  if (known.relid !== now.relid) return { ...follow(byName(known, now), now, others), replaces: known.id };
  return follow(known, now, others);
}

function follow(known: LakeTable, now: SourceTable, others: readonly LakeTable[]): Evolution {
  if (now.evolve === 'freeze') return { table: frozen(known, now), changes: [], was: known };
  const columns = columnsOf(now);
  const changes: SchemaChange[] = [];
  const renamed = !sameName(known.source, now);
  const wanted = wantedName(now);
  const lake = sameName(known.wanted, wanted) ? known.lake : placeOf(wanted, others, known.lake);
  const moved = !sameName(known.lake, lake);
  const from = moved ? known.lake : known.source;
  const renaming: SchemaChange = { change: 'table_renamed', from: `${from.schema}.${from.name}` };
  if (renamed) changes.push(renaming);
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
  // Another `rename:` is the user's wish, not a change of the source that has to stop for him.
  if (moved && !renamed) changes.push(renaming);
  changes.push(...partitionChanges(known, now));
  const names = lakeColumnNames(now.columns);
  return {
    table: {
      ...known,
      relid: now.relid,
      source: { schema: now.schema, name: now.name },
      lake,
      wanted: moved || renamed ? wanted : known.wanted,
      columns,
      left: leftOf(known, columns, names.own),
      key: now.key,
      own: names.own,
      partitions: partitionsOf(now),
      // Its first key: rows from before have no state yet.
      ...(known.key === null && now.key !== null && !known.held && heldAtFirst(now)),
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
    wanted: wantedName(now),
    columns: [],
    left: [],
    key: null,
    own: lakeColumnNames([]).own,
    partitions: partitionsOf(now),
    dropped: false,
  };
}

/** Since 0 stands for the batch that the evolution goes with. */
function heldAtFirst({ loads }: SourceTable): Pick<LakeTable, 'held'> {
  return loads ? { held: { since: 0, shown: false } } : {};
}

/** The lake keeps its columns, its key and its name; a value still comes to its column when the source has renamed that. */
function frozen(known: LakeTable, now: SourceTable): LakeTable {
  const source = (column: LakeColumn) => now.columns.find(({ attnum }) => attnum === column.attnum)?.name ?? column.source;
  return { ...known, relid: now.relid, columns: known.columns.map((column) => ({ ...column, source: source(column) })) };
}

/** A table that the lake does not have under this id: new, known under another id, or in the place of one of the same name that is gone. */
function added(now: SourceTable, tables: readonly LakeTable[]): Evolution {
  // Schema audit was made anew, and gave the same table another id.
  const itself = tables.find(({ relid, dropped }) => relid === now.relid && !dropped);
  if (itself) {
    const others = tables.filter((table) => table !== itself);
    return { ...follow({ ...itself, id: now.id }, now, others), replaces: itself.id };
  }
  const before = tables.find(({ source }) => source.schema === now.schema && source.name === now.name);
  if (before)
    return replaced(
      before,
      now,
      tables.filter((table) => table !== before),
    );
  const own = lakeColumnNames(now.columns).own;
  const table = { ...empty(now), lake: placeOf(wantedName(now), tables), columns: columnsOf(now), key: now.key, own, ...heldAtFirst(now) };
  return { table, changes: [{ change: 'table_added' }] };
}

/** A table in the place of one that is gone, whose typed log and history it goes on with. Its state begins empty. */
function replaced(before: LakeTable, now: SourceTable, others: readonly LakeTable[]): Evolution {
  const columns = columnsOf(now);
  const own = lakeColumnNames(now.columns).own;
  const was = byName(before, now);
  const wanted = wantedName(now);
  const lake = sameName(before.wanted, wanted) ? before.lake : placeOf(wanted, others, before.lake);
  const table = { ...empty(now), lake, columns, key: now.key, own, left: leftOf(was, columns, own), ...heldAtFirst(now) };
  return { table, changes: [{ change: 'table_replaced' }], was, replaces: before.id };
}

/**
 * The table with its columns, and so its key, numbered as those of the same name are now: a dump leaves dropped columns out. What is there no
 * more gets a number below zero.
 */
function byName(known: LakeTable, now: SourceTable): LakeTable {
  const numbers = new Map(
    known.columns.map(({ attnum, source }) => [attnum, now.columns.find(({ name }) => name === source)?.attnum ?? -Math.abs(attnum)]),
  );
  const number = (attnum: number) => numbers.get(attnum) ?? -Math.abs(attnum);
  return {
    ...known,
    columns: known.columns.map((column) => ({ ...column, attnum: number(column.attnum) })),
    key: known.key?.map(number) ?? null,
  };
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
