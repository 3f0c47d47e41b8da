import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { exactText } from '../../src/lake/exact.ts';
import { projectTable } from '../../src/lake/projection.ts';
import { lakeColumnNames } from '../../src/model/lake-names.ts';
import { parseSourceColumns, type SourceType } from '../../src/model/source-type.ts';
import { mapType } from '../../src/model/types.ts';
import { withTypesTable } from '../../src/model/types-reference.ts';

const type = (name: string, text = name): SourceType => ({ schema: 'pg_catalog', name, kind: 'b', text });
const columns = (...names: string[]) => names.map((name, index) => ({ attnum: index + 1, name, type: type('int4') }));

describe('names of columns in the lake', () => {
  const names = (...source: string[]) => [...lakeColumnNames(columns(...source)).source.values()];

  it.each([
    [
      ['id', 'select', 'at', 'we"ird', '🦆'],
      ['id', 'select', 'at', 'we"ird', '🦆'],
    ],
    [
      ['a', 'A', 'b'],
      ['a', 'A_2', 'b'],
    ],
    [
      ['A', 'a', 'A_2'],
      ['A', 'a_2', 'A_2_2'],
    ],
    [
      ['a_2', 'a', 'A'],
      ['a_2', 'a', 'A_3'],
    ],
    [
      ['é', 'É'],
      ['é', 'É'],
    ],
    [['_ducklake_internal_row_id'], ['_sluice__ducklake_internal_row_id']],
    [
      ['row_id', 'End_Snapshot', '_sluice_row_id'],
      ['_sluice_row_id', '_sluice_End_Snapshot', '_sluice_row_id_2'],
    ],
  ])('%j', (source, lake) => {
    expect(names(...source)).toEqual(lake);
  });

  it('go by attnum, so that a new column renames no older one', () => {
    expect(lakeColumnNames([...columns('a', 'A')].reverse()).source.get(2)).toBe('A_2');
    expect(names('a', 'A', 'A_2').slice(0, 2)).toEqual(names('a', 'A'));
  });

  it('of our own give way', () => {
    expect(lakeColumnNames(columns('_OP', 'valid_from', '_sluice_valid_from', 'id')).own).toEqual({
      _op: '_sluice_op',
      _seq: '_seq',
      _xid: '_xid',
      _ts: '_ts',
      _batch: '_batch',
      _context: '_context',
      valid_from: '_sluice_sluice_valid_from',
      valid_to: 'valid_to',
      is_current: 'is_current',
    });
  });
});

describe('overrides', () => {
  it.each([
    [type('numeric'), 'decimal(30,8)', 'DECIMAL(30,8)'],
    [type('numeric'), ' NUMERIC( 10 ) ', 'DECIMAL(10,0)'],
    [type('jsonb'), 'varchar', 'VARCHAR'],
    [{ ...type('_numeric'), element: type('numeric') }, 'decimal(9,1)', 'DECIMAL(9,1)[]'],
    [{ ...type('_text'), element: type('text') }, 'json', 'JSON'],
  ])('%j as %s', (source, override, lake) => {
    expect(mapType(source, override).lakeType).toBe(lake);
  });

  it.each(['decimal(39,2)', 'decimal(0)', 'decimal(4,5)', 'double', 'json', 'int', ''])('numeric as "%s" is refused', (override) => {
    expect(() => mapType(type('numeric'), override, 'amount')).toThrow(
      expect.objectContaining({
        code: 'config_invalid',
        message: expect.stringContaining('amount'),
        remedy: expect.stringContaining('varchar'),
      }),
    );
  });

  it('of other types, and of columns that are not there, are refused', () => {
    expect(() => mapType(type('float8'), 'decimal(10,2)', 'x')).toThrow(expect.objectContaining({ code: 'config_invalid' }));
    expect(() => projectTable(columns('a'), { b: 'varchar' })).toThrow(expect.objectContaining({ code: 'config_invalid' }));
  });
});

describe('exactText', () => {
  const keys = (all: Record<string, 'number' | 'json' | 'array'>) =>
    new Map(Object.entries(all).map(([key, kind]) => [JSON.stringify(key), kind]));

  it.each([
    ['{"n":12345678901234567890.10,"t":"n"}', { n: 'number' }, '{"n":"12345678901234567890.10","t":"n"}'],
    ['{"n":null,"m":"NaN"}', { n: 'number', m: 'number' }, '{"n":null,"m":"NaN"}'],
    ['{"d":{"n":2.50},"n":1.0}', { n: 'number' }, '{"d":{"n":2.50},"n":"1.0"}'],
    ['{"d":{"a": "}\\"]", "b":[1.0]},"e":1}', { d: 'json' }, '{"d":"{\\"a\\": \\"}\\\\\\"]\\", \\"b\\":[1.0]}","e":1}'],
    ['{"d": [1] ,"e":"\\\\"}', { d: 'json', e: 'json' }, '{"d":" [1] ","e":"\\"\\\\\\\\\\""}'],
    ['{"d":null}', { d: 'json' }, '{"d":null}'],
    ['{"t":"\\",\\"n\\":1.0","n":2.0}', { n: 'number' }, '{"t":"\\",\\"n\\":1.0","n":"2.0"}'],
    ['{"l":[1.50,null,"-1.5","\\"2.0"],"m":[]}', { l: 'array', m: 'array' }, '{"l":["1.50",null,"-1.5","\\"2.0"],"m":[]}'],
    ['{"l":[[1],[2]]}', { l: 'array' }, '{"l":"[[1],[2]]"}'],
    ['{}', { l: 'array' }, '{}'],
    ['not json', { l: 'array' }, 'not json'],
    ['{"n":1.0', { n: 'number' }, '{"n":1.0'],
    ['{"__proto__":1.0}', {}, '{"__proto__":1.0}'],
  ] as const)('%s %j', (text, kinds, expected) => {
    expect(exactText(text, keys(kinds))).toBe(expected);
  });
});

it('columns that are none are refused', () => {
  expect(parseSourceColumns('[{"attnum":1,"name":"a","type":{"schema":"s","name":"t","kind":"b","text":"t"}}]')).toHaveLength(1);
  for (const bad of ['{}', '[{}]', '[{"attnum":1,"name":"a","type":{"schema":"s"}}]', 'null'])
    expect(() => parseSourceColumns(bad)).toThrow(expect.objectContaining({ code: 'source_mismatch' }));
});

it('docs/types.md has the table of the map (node src/model/types-reference.ts writes it)', () => {
  const document = readFileSync(new URL('../../docs/types.md', import.meta.url), 'utf8');
  expect(document).toBe(withTypesTable(document));
});
