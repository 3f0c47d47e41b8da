import { SluiceError } from '../model/error.ts';
import { type LakeColumnNames, lakeColumnNames } from '../model/lake-names.ts';
import type { SourceColumn } from '../model/source-type.ts';
import type { TypeMapping } from '../model/type-mapping.ts';
import { mapType } from '../model/types.ts';
import { EXACT } from './exact-function.ts';
import { ident, literal } from './sql.ts';

export interface ProjectedColumn {
  readonly attnum: number;
  /** Key in the captured JSON. */
  readonly key: string;
  /** Name in the lake. */
  readonly name: string;
  readonly mapping: TypeMapping;
}

/**
 * From staged rows to typed columns. `from` is a relation with the columns of temp.stage: a name or a query in parentheses.
 * Needs the scanner of exact-function.ts in the engine, and TimeZone UTC.
 */
export interface Projection {
  readonly columns: readonly ProjectedColumn[];
  readonly own: LakeColumnNames['own'];
  /**
   * SELECT of own._op, _seq, _xid, _ts, then the source's columns, all typed. Raises where a value does not fit (DuckDB's message holds
   * the value: never log it), where a row lacks a key, and for a row too large to capture; if it did not raise, nothing was lost.
   * An error ends the transaction it is run in: run it into a temp table before BEGIN.
   */
  strict(from: string): string;
  /** The same columns and never an error: what does not fit is NULL, as is what the row has no key for. */
  thorough(from: string): string;
  /** What `thorough` makes NULL though the source has a value: SELECT of cdc_seq, column_name (the lake's), reason. Never the value. */
  losses(from: string): string;
}

/**
 * @param overrides the user's `types:` by the source's column name
 * @throws SluiceError config_invalid for an override that a type does not take, or of a column that is not there
 */
export function projectTable(columns: readonly SourceColumn[], overrides: Readonly<Record<string, string>> = {}): Projection {
  const unknown = Object.keys(overrides).find((name) => !columns.some((column) => column.name === name));
  if (unknown !== undefined) {
    throw new SluiceError(
      'config_invalid',
      `types: there is no column ${unknown}`,
      `Columns are: ${columns.map(({ name }) => name).join(', ')}`,
    );
  }
  const names = lakeColumnNames(columns);
  return projectColumns(
    columns.map(({ attnum, name, type }) => {
      const override = Object.hasOwn(overrides, name) ? overrides[name] : undefined;
      return { attnum, key: name, name: names.source.get(attnum) ?? name, mapping: mapType(type, override, name) };
    }),
    names.own,
  );
}

/** The same for columns that were named and mapped before, say under the names that waiting rows still have. */
export function projectColumns(columns: readonly ProjectedColumn[], own: LakeColumnNames['own']): Projection {
  const exact = exactData(columns);
  const select = (from: string, parse: string, value: (column: ProjectedColumn, parsed: string) => string) => {
    const fields = columns.map((column, index) => `${value(column, `struct_extract_at(s.j, ${index + 1})`)} AS ${ident(column.name)}`);
    return `SELECT ${[
      `s.cdc_op AS ${ident(own._op)}, s.cdc_seq AS ${ident(own._seq)}, s.cdc_xid AS ${ident(own._xid)}, s.cdc_ts AS ${ident(own._ts)}`,
      ...fields,
    ].join(',\n  ')}\nFROM (SELECT r.cdc_op, r.cdc_seq, r.cdc_xid, r.cdc_ts, ${parse} AS j FROM ${from} AS r) AS s`;
  };
  // A malformed text on purpose: a row of which capture had to leave out values is for the thorough way, which counts them.
  const whole = `CASE WHEN contains(r.data, ${literal(`"${TOO_LARGE}":{`)}) THEN 'too large' ELSE ${exact} END`;
  const texts = `from_json(CASE WHEN json_valid(${exact}) THEN ${exact} END, ${structure(columns, () => 'VARCHAR')})`;
  return {
    columns,
    own,
    strict: (from) =>
      columns.length === 0
        ? select(from, 'NULL', () => '')
        : select(from, `from_json_strict(${whole}, ${structure(columns, ({ mapping }) => mapping.parseType)})`, ({ mapping }, parsed) =>
            mapping.value(parsed),
          ),
    thorough: (from) =>
      columns.length === 0 ? select(from, 'NULL', () => '') : select(from, texts, ({ mapping }, text) => `TRY(${mapping.fromText(text)})`),
    losses: (from) => {
      const none = 'SELECT cdc_seq, NULL::VARCHAR AS column_name, NULL::VARCHAR AS reason';
      if (columns.length === 0) return `${none} FROM ${from} WHERE false`;
      const found = columns.map(({ key, name, mapping }, index) => {
        const text = `struct_extract_at(s.j, ${index + 1})`;
        const lost = (reason: string) => `{column_name: ${literal(name)}, reason: ${literal(reason)}}`;
        return `CASE WHEN ${text} IS NULL THEN CASE WHEN list_contains(s.left_out, ${literal(key)}) THEN ${lost('too large to capture')} END
    WHEN TRY(${mapping.fromText(text)}) IS NULL THEN ${lost(`no value of ${mapping.lakeType}`)} END`;
      });
      return `SELECT cdc_seq, unnest(lost, recursive := true) FROM (
  SELECT s.cdc_seq, CASE WHEN s.data IS NOT NULL AND s.j IS NULL THEN [{column_name: NULL::VARCHAR, reason: 'the row is no JSON'}] ELSE list_filter([
    ${found.join(',\n    ')}], lambda x: x IS NOT NULL) END AS lost
  FROM (SELECT r.cdc_seq, r.data, json_keys(CASE WHEN contains(r.data, ${literal(`"${TOO_LARGE}":{`)}) THEN TRY_CAST(r.data AS JSON) END, '$."${TOO_LARGE}"') AS left_out,
    ${texts} AS j FROM ${from} AS r) AS s)`;
    },
  };
}

/** Key under which capture names the columns that it left out of a row (sql/audit.large_rows_sql.sql). */
const TOO_LARGE = '_sluice_too_large';

/** The structure argument of from_json: a literal. The fields are read by position: names may differ in case only. */
function structure(columns: readonly ProjectedColumn[], type: (column: ProjectedColumn) => string): string {
  return literal(`{${columns.map((column) => `${JSON.stringify(column.key)}:${JSON.stringify(type(column))}`).join(',')}}`);
}

/** Above this a pattern of all keys takes RE2 more memory than it may have; then any key matches. Never wrong, only slower. */
const LONGEST_PATTERN = 8192;

/** r.data, through the scanner where the parser would alter a value: a regular expression finds these rows in 0.2 s per million. */
function exactData(columns: readonly ProjectedColumn[]): string {
  const byPattern = new Map<string, string[]>();
  const kinds: [key: string, kind: string][] = [];
  for (const { key, mapping } of columns) {
    if (mapping.unsafe === null) continue;
    kinds.push([key, mapping.exact]);
    byPattern.set(mapping.unsafe, [...(byPattern.get(mapping.unsafe) ?? []), regexQuote(JSON.stringify(key).slice(1))]);
  }
  if (byPattern.size === 0) return 'r.data';
  const named = [...byPattern].map(([pattern, all]) => `"(?:${all.join('|')}):(?:${pattern})`).join('|');
  const pattern = named.length <= LONGEST_PATTERN ? named : `":(?:${[...byPattern.keys()].join('|')})`;
  return `CASE WHEN regexp_matches(r.data, ${literal(pattern)}) THEN ${EXACT}(r.data, ${literal(JSON.stringify(Object.fromEntries(kinds)))}) ELSE r.data END`;
}

function regexQuote(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}
