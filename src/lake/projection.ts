import { SluiceError } from '../model/error.ts';
import { type LakeColumnNames, lakeColumnNames } from '../model/lake-names.ts';
import type { SourceColumn } from '../model/source-type.ts';
import type { TypeMapping } from '../model/type-mapping.ts';
import { mapType, NEGATIVE_ZERO } from '../model/types.ts';
import { EXACT } from './exact.ts';
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
   * SELECT of own._op, _seq, _xid, _ts, then the source's columns, all typed. A row of which a value does not fit or a key is missing, or that was too
   * large to capture, has a null for _seq and is to be thrown away; of the others nothing is lost. Never an error, which would end the transaction.
   */
  strict(from: string): string;
  /** The same columns of every row: what does not fit is NULL, as is what the row has no key for. */
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
  const cuts = cutsOf(columns);
  const scanned = exactData(columns);
  const unscanned = exactData(columns.filter((_, index) => !cuts.has(index)));
  const select = (relation: string, value: (column: ProjectedColumn, parsed: string, index: number) => string, seq = 's.cdc_seq') => {
    const fields = columns.map((column, index) => `${value(column, field(index), index)} AS ${ident(column.name)}`);
    const meta = (['_op', '_seq', '_xid', '_ts'] as const).map(
      (name) => `${name === '_seq' ? seq : `s.cdc${name}`} AS ${ident(own[name])}`,
    );
    return `SELECT ${[...meta, ...fields].join(',\n  ')}\nFROM ${relation} AS s`;
  };
  const parsed = (from: string, parse: string) => `(SELECT r.*, ${columns.length === 0 ? 'NULL' : parse} AS j FROM ${from} AS r)`;
  const cut = (from: string) => {
    if (cuts.size === 0) return from;
    const all = [...cuts];
    const places = all.map(([index, { begin, end }]) => `${begin} AS begin${index}, ${end} AS end${index}`);
    return `(SELECT r.*, ${all.map(([index, { text }]) => `${text} AS cut${index}`).join(', ')} FROM (SELECT r.*, ${places.join(', ')} FROM ${from} AS r) AS r)`;
  };
  // A malformed text on purpose: a row of which capture had to leave out values is for the thorough way, which counts them. Capture names them at the row's
  // end, so few rows are searched: 0.13 s of CPU per million less.
  const whole = `CASE WHEN suffix(r.data, '}}') AND contains(r.data, ${literal(`"${TOO_LARGE}":{`)}) THEN 'too large' ELSE ${unscanned} END`;
  const texts = `from_json(CASE WHEN json_valid(${scanned}) THEN ${scanned} END, ${structure(columns, () => 'VARCHAR')})`;
  return {
    columns,
    own,
    strict: (from) => {
      const json = parsed(cut(from), `TRY(from_json_strict(${whole}, ${structure(columns, ({ mapping }) => mapping.parseType)}))`);
      if (columns.length === 0) return select(json, () => '');
      // One TRY for all values of a row: one for each takes several times as long. And no WHERE: DuckDB would push it down and type each row twice.
      const values = columns.map(({ mapping }, index) => `v${index} := ${mapping.value(cuts.get(index)?.value ?? field(index))}`);
      const typed = `(SELECT s.*, TRY(struct_pack(${values.join(', ')})) AS typed FROM ${json} AS s)`;
      const seq = 'CASE WHEN s.typed IS NOT NULL AND (s.j IS NOT NULL OR s.data IS NULL) THEN s.cdc_seq END';
      return select(typed, (_, __, index) => `struct_extract_at(s.typed, ${index + 1})`, seq);
    },
    thorough: (from) => select(parsed(from, texts), ({ mapping }, text) => `TRY(${mapping.fromText(text)})`),
    losses: (from) => {
      const found = columns.map(({ key, name, mapping }, index) => {
        const text = field(index);
        const lost = (reason: string) => `{column_name: ${literal(name)}, reason: ${literal(reason)}}`;
        return `CASE WHEN ${text} IS NULL THEN CASE WHEN list_contains(s.left_out, ${literal(key)}) THEN ${lost('too large to capture')} END
    WHEN TRY(${mapping.fromText(text)}) IS NULL THEN ${lost(`no value of ${mapping.lakeType}`)} END`;
      });
      if (found.length === 0) return `SELECT cdc_seq, NULL::VARCHAR AS column_name, NULL::VARCHAR AS reason FROM ${from} AS r WHERE false`;
      return `SELECT cdc_seq, unnest(lost, recursive := true) FROM (
  SELECT s.cdc_seq, CASE WHEN s.data IS NOT NULL AND s.j IS NULL THEN [{column_name: NULL::VARCHAR, reason: 'the row is no JSON'}] ELSE list_filter([
    ${found.join(',\n    ')}], lambda x: x IS NOT NULL) END AS lost
  FROM (SELECT r.*, json_keys(CASE WHEN contains(r.data, ${literal(`"${TOO_LARGE}":{`)}) THEN TRY_CAST(r.data AS JSON) END, '$."${TOO_LARGE}"') AS left_out,
    ${texts} AS j FROM ${from} AS r) AS s)`;
    },
  };
}

/** A field of the parsed row, by position: names may differ in case only. */
function field(index: number): string {
  return `struct_extract_at(s.j, ${index + 1})`;
}

/** SQL of a cut, in three steps because DuckDB would compute each place in a CASE anew. `r` and `s` are relations as in `select`. */
interface Cut {
  readonly begin: string;
  readonly end: string;
  readonly text: string;
  readonly value: string;
}

/** Each cut looks for two keys in the row's text, which gets slow where there are many. */
const MOST_CUTS = 16;

/**
 * SQL, by index, of the values that are cut out of the row's text: what stands between the column's key and the next column's. Measured per million rows:
 * 0.3 s for a cut, 0.6 for regexp_extract, 3 and more to find a value's end by regexp_extract, 2 for the scanner.
 *
 * Why that is exact: row_to_json writes `,"key":` without spaces. The same characters can't stand within a string, where quotes are
 * escaped, nor across the end of one (there a quote is followed by one of `,:]}` or a space, with which no key taken here begins), nor in
 * nested JSON, unless that is written without spaces as well (`keys`). That both keys are there is for from_json_strict, which reads
 * all columns. If another column stands between or the order is another (a partition with an order of its own, a row from before
 * ALTER TABLE), the text is no number and no JSON, and the statement raises.
 */
function cutsOf(columns: readonly ProjectedColumn[]): ReadonlyMap<number, Cut> {
  const cut = columns.flatMap(({ mapping }, index) => (mapping.cut ? [index] : []));
  if (cut.length > MOST_CUTS || columns.some(({ mapping, key }) => mapping.keys || /^[,:\]}\s]/.test(key))) return new Map();
  const written = (index: number) => `${index === 0 ? '{' : ','}${JSON.stringify(columns[index]?.key)}:`;
  return new Map(
    cut.map((index) => {
      const key = written(index);
      const last = index === columns.length - 1;
      const json = columns[index]?.mapping.exact === 'json';
      return [
        index,
        {
          begin: `strpos(r.data, ${literal(key)}) + ${[...key].length}`,
          end: last ? 'length(r.data)' : `strpos(r.data, ${literal(written(index + 1))})`,
          // A lone comma is as wrong as what holds another column.
          text: `CASE WHEN r.end${index} > r.begin${index} THEN substr(r.data, r.begin${index}, r.end${index} - r.begin${index}) ELSE ',' END`,
          // The cast of something that is no number raises.
          value: `CASE WHEN s.cut${index} = 'null' THEN NULL WHEN ${json ? `json_valid(s.cut${index})` : `NOT contains(s.cut${index}, ',')`} THEN ${
            json ? `s.cut${index}` : `replace(s.cut${index}, '"', '')`
          } WHEN s.data IS NOT NULL THEN CAST(CAST('columns in another order' AS DOUBLE) AS VARCHAR) END`,
        },
      ];
    }),
  );
}

/** Key under which capture names the columns that it left out of a row (sql/audit.large_rows_sql.sql). */
const TOO_LARGE = '_sluice_too_large';

/** The structure argument of from_json: a literal. The fields are read by position: names may differ in case only. */
function structure(columns: readonly ProjectedColumn[], type: (column: ProjectedColumn) => string): string {
  return literal(`{${columns.map((column) => `${JSON.stringify(column.key)}:${JSON.stringify(type(column))}`).join(',')}}`);
}

/** Above this a pattern of all keys takes RE2 more memory than it may have; then any key matches. Never wrong, only slower. */
const LONGEST_PATTERN = 8192;

/**
 * r.data, through the scanner where the parser would alter a value: a regular expression finds these rows in 0.2 s per million. Where that is nothing but
 * negative zeros, few rows get that far: what ends in -0 is found in 0.03 s.
 */
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
  const rare = [...byPattern.keys()].every((one) => one === NEGATIVE_ZERO)
    ? "(contains(r.data, '-0,') OR contains(r.data, '-0}')) AND "
    : '';
  return `CASE WHEN ${rare}regexp_matches(r.data, ${literal(pattern)}) THEN ${EXACT}(r.data, ${literal(JSON.stringify(Object.fromEntries(kinds)))}) ELSE r.data END`;
}

function regexQuote(text: string): string {
  return text.replace(/[\\^$.|?*+()[\]{}]/g, '\\$&');
}
