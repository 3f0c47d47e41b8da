import { SluiceError } from './error.ts';
import { listOf } from './list-type.ts';
import { decimalOf, numericOf } from './numeric-type.ts';
import type { SourceType } from './source-type.ts';
import { mapping, type TypeMapping } from './type-mapping.ts';

/** Of a float. */
export const NEGATIVE_ZERO = '-0[,}]';

/**
 * A negative zero is an integer for DuckDB's parser, which has no -0. A real is read from its text, because a double in between would
 * round twice: the text that it leaves of a number of at most 9 digits is the same number.
 */
const FLOAT = {
  exact: 'number',
  unsafe: NEGATIVE_ZERO,
  lost: 'in Parquet the sign of a zero (a page holds 0 and -0 as one of the two): they are equal, so it is not counted',
} as const;

/** `0044-03-15T12:00:00 BC`; DuckDB writes the era behind the date, and reads `0044-03-15 BC` as AD. */
const withEra = (type: string) => (text: string) =>
  `CASE WHEN ${text} LIKE '% BC' THEN CAST(regexp_replace(${text}, '^([0-9]+-[0-9]+-[0-9]+)(.*) BC$', '\\1 (BC)\\2') AS ${type}) ELSE CAST(${text} AS ${type}) END`;

/** Everything but null, true, false, {}, [] and integers without white space around them. */
const JSON_UNSAFE = '[^a-z0-9{\\[]|\\{[^}]|\\[[^\\]]|[0-9]+[^0-9,}]|[a-z]+[^a-z,}]|(?:\\{\\}|\\[\\])[^,}]';
const DOCUMENT = { lakeType: 'JSON', parseType: 'VARCHAR', exact: 'json', unsafe: JSON_UNSAFE, cut: true, keys: true } as const;

const TEXT = mapping({ lakeType: 'VARCHAR', rule: "PostgreSQL's text" });
const JSON_TEXT = mapping({ ...DOCUMENT, rule: 'the text, character by character' });
const AS_JSON = mapping({ ...DOCUMENT, rule: 'the JSON that row_to_json makes of it' });
const OBJECT_ID = mapping({ lakeType: 'BIGINT' });

/** Types of pg_catalog that are not simply text. */
const BUILT_IN: Readonly<Record<string, (type: SourceType) => TypeMapping>> = {
  bool: () => mapping({ lakeType: 'BOOLEAN' }),
  int2: () => mapping({ lakeType: 'SMALLINT' }),
  int4: () => mapping({ lakeType: 'INTEGER' }),
  int8: () => mapping({ lakeType: 'BIGINT' }),
  numeric: numericOf,
  float4: () => mapping({ lakeType: 'FLOAT', parseType: 'VARCHAR', ...FLOAT }),
  float8: () => mapping({ lakeType: 'DOUBLE', ...FLOAT }),
  money: () =>
    mapping({
      lakeType: 'DECIMAL(19,2)',
      parseType: 'VARCHAR',
      fromText: (text) => `CAST(replace(replace(${text}, '$', ''), ',', '') AS DECIMAL(19,2))`,
      rule: 'the stored integer / 100, whatever `lc_monetary` is: a currency without cents appears divided by 100',
    }),
  bytea: () => mapping({ lakeType: 'BLOB', parseType: 'VARCHAR', fromText: (text) => `from_hex(substr(${text}, 3))` }),
  date: () => mapping({ lakeType: 'DATE', parseType: 'VARCHAR', fromText: withEra('DATE') }),
  time: () => mapping({ lakeType: 'TIME' }),
  timestamp: () => mapping({ lakeType: 'TIMESTAMP', fromText: withEra('TIMESTAMP'), lost: AFTER_TIMESTAMP }),
  timestamptz: () => mapping({ lakeType: 'TIMESTAMPTZ', fromText: withEra('TIMESTAMPTZ'), rule: 'the instant', lost: AFTER_TIMESTAMP }),
  uuid: () => mapping({ lakeType: 'UUID' }),
  json: () =>
    mapping({
      ...JSON_TEXT,
      lost: 'a lone surrogate (`"\\ud800"`), which is no JSON for DuckDB; JSON null and SQL NULL are both captured as null',
    }),
  // PostgreSQL writes jsonb with a space behind each comma and colon.
  jsonb: () => mapping({ ...JSON_TEXT, keys: false, lost: 'JSON null and SQL NULL are both captured as null' }),
  oid: () => OBJECT_ID,
  xid: () => OBJECT_ID,
  cid: () => OBJECT_ID,
  xid8: () => mapping({ lakeType: 'DECIMAL(20,0)', parseType: 'VARCHAR' }),
};

const AFTER_TIMESTAMP = 'after 294247-01-10 04:00:54.775806';

/**
 * The mapping of a type.
 * @param override the user's own choice: `varchar` (the captured text) for any type, `json` for arrays, `decimal(p,s)` for numeric and arrays of it
 * @param column named in the error
 * @throws SluiceError config_invalid for an override that the type does not take
 */
export function mapType(type: SourceType, override?: string, column?: string): TypeMapping {
  if (override === undefined) return type.element === undefined ? scalar(type) : arrayOf(type, type.element);
  const wanted = override.trim().toLowerCase();
  if (wanted === 'varchar') return asText(type);
  if (wanted === 'json' && type.element !== undefined) return AS_JSON;
  const decimal = decimalOf(wanted);
  if (decimal !== undefined && (type.element ?? type).name === 'numeric') return type.element === undefined ? decimal : listOf(decimal);
  throw new SluiceError(
    'config_invalid',
    `Column ${column ?? '?'} is ${type.text} and can't become "${override}" in the lake`,
    'Take varchar (any type), json (arrays), or decimal(p,s) with p up to 38 and s up to p (numeric); or leave the column out of `types`.',
  );
}

function scalar(type: SourceType): TypeMapping {
  if (type.kind === 'c' || type.json) return AS_JSON;
  return (type.schema === 'pg_catalog' ? BUILT_IN[type.name]?.(type) : undefined) ?? TEXT;
}

function arrayOf(type: SourceType, element: SourceType): TypeMapping {
  // JSON of JSON would be quoted twice; a list of lists has another type for each number of dimensions, which PostgreSQL does not fix.
  if ((type.dimensions ?? 0) > 1 || element.element !== undefined || scalar(element).exact === 'json') return AS_JSON;
  return listOf(scalar(element));
}

function asText(type: SourceType): TypeMapping {
  if (type.element !== undefined || scalar(type).exact === 'json')
    return mapping({ ...AS_JSON, lakeType: 'VARCHAR', value: (text) => text, fromText: (text) => text });
  // The parser writes numbers in its own way, but for integers.
  return mapping({ lakeType: 'VARCHAR', exact: 'number', unsafe: '-?[0-9]+[^0-9,}]|-0', rule: "PostgreSQL's text" });
}
