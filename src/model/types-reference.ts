import { readFileSync, writeFileSync } from 'node:fs';
import type { SourceType } from './source-type.ts';
import { mapType } from './types.ts';

/** The table of docs/types.md lies between these lines. Made by: node src/model/types-reference.ts */
const BEGIN = '<!-- types: made from src/model/types.ts by `node src/model/types-reference.ts` -->';
const END = '<!-- /types -->';

const builtIn = (name: string, text = name): SourceType => ({ schema: 'pg_catalog', name, kind: 'b', text });
const own = (kind: SourceType['kind'], more: Partial<SourceType> = {}): SourceType => ({
  schema: 'public',
  name: 'own',
  kind,
  text: 'own',
  ...more,
});
const array = (element: SourceType, dimensions = 1): SourceType => ({
  ...builtIn(`_${element.name}`, `${element.text}[]`),
  element,
  dimensions,
});

/** What the reference shows: the user's words for a type, the type, the user's choice if that is what the line is about. */
const LINES: readonly (readonly [label: string, type: SourceType, override?: string])[] = [
  ['`boolean`', builtIn('bool')],
  ['`smallint`', builtIn('int2')],
  ['`integer`', builtIn('int4')],
  ['`bigint`', builtIn('int8')],
  ['`numeric(p,s)`, p up to 38', { ...builtIn('numeric'), text: 'numeric(12,2)' }],
  ['`numeric(p,-s)`: p+s digits', { ...builtIn('numeric'), text: 'numeric(5,-2)' }],
  ['`numeric`, `numeric(39,…)` and wider', builtIn('numeric')],
  ['`numeric` with `types: {column: "decimal(30,8)"}`', builtIn('numeric'), 'decimal(30,8)'],
  ['`real`', builtIn('float4')],
  ['`double precision`', builtIn('float8')],
  ['`money`', builtIn('money')],
  ['`text`, `varchar`, `char(n)` (with its blanks), `name`, `"char"`', builtIn('text')],
  ['`bytea`', builtIn('bytea')],
  ['`date`', builtIn('date')],
  ['`time`', builtIn('time')],
  ['`timetz`', builtIn('timetz')],
  ['`timestamp`', builtIn('timestamp')],
  ['`timestamptz`', builtIn('timestamptz')],
  ['`interval`', builtIn('interval')],
  ['`uuid`', builtIn('uuid')],
  ['`json`', builtIn('json')],
  ['`jsonb`', builtIn('jsonb')],
  ['`xml`, `jsonpath`', builtIn('xml')],
  ['`inet`, `cidr`, `macaddr`, `macaddr8`', builtIn('inet')],
  ['`bit(n)`, `varbit`', builtIn('varbit')],
  ['`point`, `line`, `lseg`, `box`, `path`, `polygon`, `circle`', builtIn('point')],
  ['`tsvector`, `tsquery`', builtIn('tsvector')],
  ['ranges and multiranges', own('r')],
  ['`oid`, `xid`, `cid`', builtIn('oid')],
  ['`xid8`', builtIn('xid8')],
  ['`tid`, `regclass` and the other reg… types, `pg_lsn`, `pg_snapshot`', builtIn('regclass')],
  ['enums', own('e')],
  ['domains: as the type below; here one over `numeric(12,2)`', { ...builtIn('numeric'), text: 'numeric(12,2)', domain: 'cents' }],
  ['composite types', own('c')],
  ['`citext`, `ltree` and whatever else an extension brings', own('b')],
  ['types of extensions with a cast to json: `hstore`, PostGIS', own('b', { json: true })],
  ['arrays: a list of what the element becomes; here `integer[]`', array(builtIn('int4'))],
  ['`text[]`', array(builtIn('text'))],
  ['`numeric[]`', array(builtIn('numeric'))],
  ['arrays declared with more dimensions: `integer[][]`', array(builtIn('int4'), 2)],
  ['arrays of json, jsonb, composites', array(builtIn('jsonb'))],
  ['`int2vector`, `oidvector`', { ...builtIn('int2vector'), element: builtIn('int2'), dimensions: 1 }],
  ['any array with `types: {column: "json"}`', array(builtIn('numeric')), 'json'],
  ['anything with `types: {column: "varchar"}`', builtIn('float8'), 'varchar'],
];

/** All types as a Markdown table. */
export function typesTable(): string {
  const rows = LINES.map(([label, type, override]) => {
    const { lakeType, rule, lost } = mapType(type, override);
    return `| ${[label, `\`${lakeType}\``, rule ?? '', lost ?? ''].join(' | ')} |`;
  });
  return ['| PostgreSQL | Lake | How it is held | Lost |', '|---|---|---|---|', ...rows].join('\n');
}

/** The document with the table as it should be. Throws where the marking lines are missing. */
export function withTypesTable(document: string): string {
  const begin = document.indexOf(BEGIN);
  const end = document.indexOf(END);
  if (begin === -1 || end < begin) throw new Error('the document has no place for the table of types');
  return `${document.slice(0, begin + BEGIN.length)}\n${typesTable()}\n${document.slice(end)}`;
}

if (import.meta.main) {
  const file = new URL('../../docs/types.md', import.meta.url);
  writeFileSync(file, withTypesTable(readFileSync(file, 'utf8')));
}
