import { describe, expect, it } from 'vitest';
import { type Evolution, evolve, type SchemaChange } from '../../src/model/evolution.ts';
import { collisions, inOrder } from '../../src/model/lake-place.ts';
import type { SourceType } from '../../src/model/source-type.ts';
import type { LakeTable, SourceTable } from '../../src/model/table.ts';

const type = (name: string, text = name): SourceType => ({ schema: 'pg_catalog', name, kind: 'b', text });
const INT = type('int4', 'integer');
const BIGINT = type('int8', 'bigint');
const TEXT = type('text');

/** A table of the source: `name: type` in the order of attnum; null stands for a dropped column, which keeps its number. */
function source(columns: readonly (readonly [string, SourceType] | null)[], rest: Partial<SourceTable> = {}): SourceTable {
  return {
    id: 1,
    schema: 'public',
    name: 'item',
    relid: '100',
    columns: columns.flatMap((column, index) => (column ? [{ attnum: index + 1, name: column[0], type: column[1] }] : [])),
    key: [1],
    filled: {},
    partitions: {},
    types: {},
    evolve: 'follow',
    ...rest,
  };
}

const ITEM = [
  ['id', INT],
  ['v', TEXT],
  ['n', INT],
] as const;
/** Its columns with others in the place of some, by attnum. */
const item = (others: Readonly<Record<number, readonly [string, SourceType] | null>>) =>
  ITEM.map((column, index) => (index + 1 in others ? (others[index + 1] ?? null) : column));
const gone = (table: Partial<SourceTable> = {}) => source([], { relid: null, key: null, ...table });
/** What the lake has of a table that it has just met. */
const known = (table: SourceTable = source(ITEM), others: readonly LakeTable[] = []) => evolve(undefined, table, others).table;

/** What has changed of it when the source has this. */
const evolved = (columns: Parameters<typeof source>[0], rest: Partial<SourceTable> = {}) => evolve(known(), source(columns, rest), []);

const names = (table: LakeTable) => table.columns.map(({ name }) => name);
const left = (table: LakeTable) => table.left.map(({ name }) => name);
const kinds = ({ changes }: Evolution) => changes.map(({ change }) => change);
const only = <K extends SchemaChange['change']>({ changes }: Evolution, kind: K) => {
  expect(changes.map(({ change }) => change)).toEqual([kind]);
  return changes[0] as Extract<SchemaChange, { change: K }>;
};

describe('each change', () => {
  it('nothing', () => {
    const table = known();
    expect(evolve(table, source(ITEM), [])).toEqual({ table, changes: [], was: table });
  });

  it('table_added', () => {
    const evolution = evolve(undefined, source(ITEM), []);
    only(evolution, 'table_added');
    expect(evolution.was).toBeUndefined();
    expect(evolution.table).toMatchObject({
      id: 1,
      relid: '100',
      lake: { schema: 'public', name: 'item' },
      key: [1],
      left: [],
      dropped: false,
    });
    expect(evolution.table.columns.map(({ lakeType }) => lakeType)).toEqual(['INTEGER', 'VARCHAR', 'INTEGER']);
  });

  it('table_dropped, once', () => {
    const dropped = evolve(known(), gone(), []);
    only(dropped, 'table_dropped');
    expect(dropped.table).toEqual({ ...known(), dropped: true });
    expect(kinds(evolve(dropped.table, gone(), []))).toEqual([]);
    expect(evolve(undefined, gone(), [])).toMatchObject({ changes: [], table: { dropped: true, columns: [] } });
  });

  it('table_replaced: another of the same name goes on with the typed log, and its columns are matched by name', () => {
    const before = { ...known(), dropped: true };
    const evolution = evolve(
      undefined,
      source(
        [
          ['v', TEXT],
          ['id', INT],
          ['w', TEXT],
        ],
        { id: 2, relid: '200', key: [2] },
      ),
      [before],
    );
    only(evolution, 'table_replaced');
    expect(evolution.replaces).toBe(1);
    expect(evolution.table).toMatchObject({ id: 2, lake: before.lake, key: [2], dropped: false });
    expect(evolution.was?.columns.map(({ name, attnum }) => [name, attnum])).toEqual([
      ['id', 2],
      ['v', 1],
      ['n', -3],
    ]);
    expect(left(evolution.table)).toEqual(['n']);
  });

  it('table_renamed, to another name or schema', () => {
    const renamed = evolved(ITEM, { name: 'thing' });
    expect(only(renamed, 'table_renamed').from).toBe('public.item');
    expect(renamed.table).toMatchObject({ source: { name: 'thing' }, lake: { schema: 'public', name: 'thing' } });
    expect(evolved(ITEM, { schema: 'archive' }).table.lake).toEqual({ schema: 'archive', name: 'item' });
  });

  it('column_added, with what old rows have in it', () => {
    const added = evolved([...ITEM, ['extra', TEXT], ['empty', TEXT]], { filled: { 4: 'x' } });
    expect(added.changes).toMatchObject([
      { change: 'column_added', column: { attnum: 4, name: 'extra' }, filled: 'x' },
      { change: 'column_added', column: { attnum: 5, name: 'empty' }, filled: null },
    ]);
  });

  it('column_dropped: it stays in the typed log', () => {
    const dropped = evolved(item({ 2: null }));
    expect(only(dropped, 'column_dropped').column).toMatchObject({ attnum: 2, name: 'v' });
    expect(names(dropped.table)).toEqual(['id', 'n']);
    expect(dropped.table.left).toEqual([{ name: 'v', lakeType: 'VARCHAR' }]);
    const later = evolve(dropped.table, source(item({ 2: null, 3: null })), []);
    expect(left(later.table)).toEqual(['v', 'n']);
  });

  it('column_renamed, told from a drop and an addition by its number', () => {
    const renamed = evolved(item({ 2: ['value', TEXT] }));
    expect(only(renamed, 'column_renamed')).toMatchObject({ from: { name: 'v' }, column: { name: 'value', attnum: 2 } });
    expect(left(renamed.table)).toEqual([]);
    expect(kinds(evolved([['id', INT], null, ['n', INT], ['v', TEXT]]))).toEqual(['column_dropped', 'column_added']);
    expect(kinds(evolved(item({ 2: ['n', TEXT], 3: ['v', INT] })))).toEqual(['column_renamed', 'column_renamed']);
  });

  it('type_changed: what counts is the type in the lake', () => {
    const grown = evolved(item({ 3: ['n', BIGINT] }));
    expect(only(grown, 'type_changed')).toMatchObject({ from: { lakeType: 'INTEGER' }, column: { lakeType: 'BIGINT' } });
    expect(kinds(evolved(item({ 2: ['v', type('varchar')] })))).toEqual([]);
  });

  it('type_changed by `types:`, and a choice that does not fit', () => {
    const text = evolved(ITEM, { types: { n: 'varchar', nothing: 'varchar' } });
    expect(only(text, 'type_changed').column).toMatchObject({ lakeType: 'VARCHAR', override: 'varchar' });
    expect(() => evolved(ITEM, { types: { n: 'json' } })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    // A column called as something that every object has is no choice of the user's.
    expect(known(source([['constructor', INT]])).columns[0]).not.toHaveProperty('override');
  });

  it('key_changed', () => {
    const changed = evolved(ITEM, { key: [3, 1] });
    only(changed, 'key_changed');
    expect(changed.table.key).toEqual([3, 1]);
    expect(evolved(ITEM, { key: null }).table.key).toBeNull();
  });

  it('several at once', () => {
    const much = evolved([['id', BIGINT], null, ['m', INT], ['z', TEXT]], { name: 'thing', key: [3] });
    expect(kinds(much)).toEqual(['table_renamed', 'type_changed', 'column_dropped', 'column_renamed', 'column_added', 'key_changed']);
  });
});

describe('names that collide', () => {
  it.each(['main', 'sluice', 'Sluice', 'temp', 'memory', 'lake', 'lake_now', 'app_changes', 'App_History'])(
    'schema %s gets a prefix',
    (schema) => {
      expect(known(source(ITEM, { schema })).lake).toEqual({ schema: `_sluice_${schema}`, name: 'item' });
    },
  );

  it.each(['changes', 'history', 'lakes', 'app_changes_2'])('schema %s does not', (schema) => {
    expect(known(source(ITEM, { schema })).lake).toEqual({ schema, name: 'item' });
  });

  it('tables and schemas that differ in case only', () => {
    const first = known();
    const second = known(source(ITEM, { id: 2, relid: '2', name: 'Item' }), [first]);
    const third = known(source(ITEM, { id: 3, relid: '3', schema: 'Public' }), [first, second]);
    expect([second.lake, third.lake]).toEqual([
      { schema: 'public', name: 'Item_2' },
      { schema: 'Public', name: 'item_3' },
    ]);
    // DuckDB folds the case of ASCII letters only.
    const accented = known(source(ITEM, { name: 'É' }));
    expect(known(source(ITEM, { id: 2, relid: '2', name: 'é' }), [accented]).lake.name).toBe('é');
  });

  it('a table renamed in case only stays where it is: in its new place it would stand in its own way', () => {
    const renamed = evolved(ITEM, { name: 'ITEM' });
    only(renamed, 'table_renamed');
    expect(renamed.table).toMatchObject({ source: { name: 'ITEM' }, lake: { name: 'item' } });
  });

  it('a name that a table has which is gone, as when a table is built beside another and then takes its name', () => {
    const before = { ...known(), dropped: true };
    const built = known(source(ITEM, { id: 2, relid: '2', name: 'item_new' }), [before]);
    expect(evolve(built, source(ITEM, { id: 2, relid: '2' }), [before]).table.lake).toEqual({ schema: 'public', name: 'item_2' });
  });

  it('state of one schema and typed log of another', () => {
    const first = known(source(ITEM, { schema: '_sluice_a' }));
    const second = known(source(ITEM, { id: 2, relid: '2', schema: 'a_changes' }), [first]);
    expect([first.lake.schema, second.lake]).toEqual(['_sluice_a', { schema: '_sluice_a_changes', name: 'item_2' }]);
  });

  it('columns that differ in case only, and take the name back', () => {
    const twins = known(
      source([
        ['id', INT],
        ['V', TEXT],
        ['v', TEXT],
      ]),
    );
    expect(names(twins)).toEqual(['id', 'V', 'v_2']);
    const one = evolve(twins, source([['id', INT], null, ['v', TEXT]]), []);
    expect(kinds(one)).toEqual(['column_dropped', 'column_renamed']);
    expect([names(one.table), left(one.table)]).toEqual([['id', 'v'], ['V_dropped']]);
  });

  it('a column that is dropped and made anew, again and again', () => {
    let table = known(
      source([
        ['id', INT],
        ['v', TEXT],
      ]),
    );
    table = evolve(table, source([['id', INT], null, ['v', INT]]), []).table;
    expect([names(table), left(table)]).toEqual([['id', 'v'], ['v_dropped']]);
    table = evolve(table, source([['id', INT], null, null, ['V', INT]]), []).table;
    expect([names(table), left(table)]).toEqual([
      ['id', 'V'],
      ['v_dropped', 'v_dropped_2'],
    ]);
  });

  it('our own columns give way while the source has such a one', () => {
    const before = known(source([['id', INT]]));
    const during = evolve(
      before,
      source([
        ['id', INT],
        ['_op', TEXT],
      ]),
      [],
    ).table;
    expect([before.own._op, during.own._op]).toEqual(['_op', '_sluice_op']);
    const after = evolve(during, source([['id', INT], null]), []).table;
    expect([after.own._op, left(after)]).toEqual(['_op', ['_op_dropped']]);
  });
});

describe('rename of sluice.yaml', () => {
  const rename = { schema: 'shop', name: 'things' };
  const named = known(source(ITEM, { rename }));

  it('is the name from the start, and another one is followed once', () => {
    expect(named).toMatchObject({ source: { schema: 'public', name: 'item' }, lake: rename, wanted: rename });
    expect(kinds(evolve(named, source(ITEM, { rename }), []))).toEqual([]);
    const moved = evolve(named, source(ITEM, { rename: { schema: 'shop', name: 'items' } }), []);
    expect(only(moved, 'table_renamed').from).toBe('shop.things');
    expect(moved.table.lake).toEqual({ schema: 'shop', name: 'items' });
    expect(kinds(evolve(moved.table, source(ITEM, { rename: { schema: 'shop', name: 'items' } }), []))).toEqual([]);
    expect(evolve(moved.table, source(ITEM), []).table.lake).toEqual({ schema: 'public', name: 'item' });
  });

  it('that makes the same of a table renamed in the source: noted, and it stays where it is', () => {
    const other = evolve(named, source(ITEM, { name: 'thing', rename }), []);
    expect(only(other, 'table_renamed').from).toBe('public.item');
    expect(other.table).toMatchObject({ source: { name: 'thing' }, lake: rename });
  });

  it('is taken by another table: a suffix, which stays when the name is free again', () => {
    const second = known(source(ITEM, { id: 2, relid: '200', name: 'other', rename }), [named]);
    expect(second).toMatchObject({ lake: { schema: 'shop', name: 'things_2' }, wanted: rename });
    expect(kinds(evolve(second, source(ITEM, { id: 2, relid: '200', name: 'other', rename }), []))).toEqual([]);
    const freed = evolve(second, source(ITEM, { id: 2, relid: '200', name: 'other', rename: { schema: 'shop', name: 'things_2' } }), []);
    expect([kinds(freed), freed.table.lake.name]).toEqual([[], 'things_2']);
  });

  it('differs in case only: the lake keeps its name', () => {
    expect(kinds(evolve(named, source(ITEM, { rename: { schema: 'Shop', name: 'THINGS' } }), []))).toEqual([]);
  });

  it('goes on with the log of a table that was dropped, under the name of now', () => {
    const made = evolve(undefined, source(ITEM, { id: 2, relid: '200' }), [{ ...named, dropped: true }]);
    expect([only(made, 'table_replaced').change, made.table.lake, made.was?.lake]).toEqual([
      'table_replaced',
      { schema: 'public', name: 'item' },
      rename,
    ]);
  });

  it('ends no daemon for evolve: stop, and freeze keeps the name', () => {
    expect(kinds(evolved(ITEM, { rename, evolve: 'stop' }))).toEqual(['table_renamed']);
    expect(() => evolved(ITEM, { name: 'thing', rename, evolve: 'stop' })).toThrow('has changed');
    const frozen = evolved(ITEM, { rename, evolve: 'freeze' });
    expect([kinds(frozen), frozen.table.lake.name]).toEqual([[], 'item']);
    expect(evolve(frozen.table, source(ITEM, { rename }), []).table.lake).toEqual(rename);
  });

  it('a table waits for the one that leaves its name; a circle ends', () => {
    const tables = [1, 2, 3].map((id) => source(ITEM, { id, relid: `${id}`, name: `t${id}` }));
    const all = tables.map((table) => known(table));
    const shifted = (last: string) =>
      tables.map((table, index) => ({ ...table, rename: { schema: 'PUBLIC', name: index === 2 ? last : `T${index + 2}` } }));
    expect(inOrder(shifted('t4'), all).map(({ id }) => id)).toEqual([3, 2, 1]);
    expect(inOrder(shifted('t1'), all).map(({ id }) => id)).toEqual([3, 2, 1]);
    expect(inOrder([...tables, gone({ id: 4, name: 't1' })], all).map(({ id }) => id)).toEqual([4, 1, 2, 3]);
  });

  it('gives two tables one name: named, unless it is their own', () => {
    const table = (name: string, to?: string) => ({ schema: 's', name, ...(to !== undefined && { rename: { schema: 's', name: to } }) });
    expect(collisions([table('a'), table('A')])).toEqual([]);
    expect(collisions([table('a', 'b'), table('c'), table('B')]).map((pair) => pair.map(({ name }) => name))).toEqual([['a', 'B']]);
    expect(collisions([table('a', 'x'), table('b', 'X'), table('c', 'x')])).toHaveLength(2);
    expect(collisions([table('a', 'b'), table('b', 'a')])).toEqual([]);
  });
});

describe('a table that was restored: another oid, and other column numbers, for a dump leaves dropped columns out', () => {
  const before = known(source([null, ['id', INT], ['v', TEXT], ['n', INT]], { key: [2] }));
  const restored = evolve(before, source(ITEM, { relid: '900', key: [1] }), []);

  it('is the same table with the same key', () => {
    expect(kinds(restored)).toEqual([]);
    expect(restored.table).toMatchObject({ id: 1, relid: '900', key: [1], left: [] });
    expect(restored.was?.key).toEqual([1]);
  });

  it('is noted, so that the next rename is one', () => {
    expect(restored.replaces).toBe(1);
    expect(kinds(evolve(restored.table, source(item({ 2: ['value', TEXT] }), { relid: '900' }), []))).toEqual(['column_renamed']);
  });

  it('has lost a column and got one', () => {
    const other = evolve(before, source(item({ 2: ['w', TEXT] }), { relid: '900' }), []);
    expect(kinds(other)).toEqual(['column_dropped', 'column_added']);
    expect(left(other.table)).toEqual(['v']);
  });

  it('of a time before it was dropped goes on with its typed log', () => {
    const evolution = evolve({ ...before, dropped: true }, source(ITEM, { relid: '900' }), []);
    only(evolution, 'table_replaced');
    expect(evolution).toMatchObject({ replaces: 1, table: { id: 1, lake: before.lake, dropped: false } });
  });
});

describe('schema audit made anew: other ids', () => {
  const before = known();

  it('the table is the same', () => {
    const evolution = evolve(undefined, source(ITEM, { id: 7 }), [before]);
    expect(kinds(evolution)).toEqual([]);
    expect(evolution).toMatchObject({ replaces: 1, table: { ...before, id: 7 } });
  });

  it('also where it was altered and renamed meanwhile', () => {
    const evolution = evolve(undefined, source([...ITEM, ['w', TEXT]], { id: 7, name: 'thing' }), [before]);
    expect(kinds(evolution)).toEqual(['table_renamed', 'column_added']);
    expect(evolution).toMatchObject({ replaces: 1, table: { id: 7, lake: { name: 'thing' } } });
  });

  it('and another oid under its name is another table', () => {
    const evolution = evolve(undefined, source(ITEM, { id: 7, relid: '900' }), [before]);
    only(evolution, 'table_replaced');
    expect(evolution.replaces).toBe(1);
  });
});

describe('evolve: freeze', () => {
  it('keeps columns, types, key and name, and finds a renamed column', () => {
    const now = source([['id', INT], ['value', INT], null, ['extra', TEXT]], { evolve: 'freeze', name: 'thing', key: [4] });
    const frozen = evolve(known(), now, []);
    expect(kinds(frozen)).toEqual([]);
    expect(frozen.table).toMatchObject({ lake: { name: 'item' }, key: [1], left: [] });
    expect(frozen.table.columns.map(({ name, source: from, lakeType }) => [name, from, lakeType])).toEqual([
      ['id', 'id', 'INTEGER'],
      ['v', 'value', 'VARCHAR'],
      ['n', 'n', 'INTEGER'],
    ]);
  });

  it('holds for a restored table, however often', () => {
    const once = evolved(
      [
        ['id', INT],
        ['n', INT],
      ],
      { evolve: 'freeze', relid: '2' },
    ).table;
    const twice = evolve(once, source(item({ 2: ['x', TEXT] }), { evolve: 'freeze', relid: '3' }), []).table;
    expect(twice.columns.map(({ name, attnum }) => [name, attnum])).toEqual([
      ['id', 1],
      ['v', -2],
      ['n', 3],
    ]);
  });

  it('starts with what the table is, follows its end, and thaws', () => {
    expect(kinds(evolve(undefined, source(ITEM, { evolve: 'freeze' }), []))).toEqual(['table_added']);
    expect(kinds(evolve(known(), gone({ evolve: 'freeze' }), []))).toEqual(['table_dropped']);
    const frozen = evolved([...ITEM, ['w', TEXT]], { evolve: 'freeze' }).table;
    expect(kinds(evolve(frozen, source([...ITEM, ['w', TEXT]]), []))).toEqual(['column_added']);
  });
});

describe('evolve: stop', () => {
  it('ends with what has changed and what to do', () => {
    const now = source([['id', INT], ['value', TEXT], null], { evolve: 'stop' });
    expect(() => evolve(known(), now, [])).toThrow(
      expect.objectContaining({
        code: 'schema_changed',
        message: expect.stringMatching(/public\.item .*column_renamed, column_dropped/),
        remedy: expect.stringContaining('sluice track'),
      }),
    );
  });

  it('lets pass what changes nothing, a new table and the end of one', () => {
    const stop = { evolve: 'stop' } as const;
    expect(kinds(evolved(ITEM, stop))).toEqual([]);
    expect(kinds(evolved(ITEM, { ...stop, relid: '900' }))).toEqual([]);
    expect(kinds(evolve(undefined, source(ITEM, stop), []))).toEqual(['table_added']);
    expect(kinds(evolve(known(), gone(stop), []))).toEqual(['table_dropped']);
  });
});
