/**
 * How a column of the source becomes one of the lake. Two ways lead from the captured JSON text to the lake's value:
 * the strict one (`parseType`, `value`), which raises where the lake can't hold a value, and the thorough one (`fromText`), which
 * reads every value from its text, knows the rare spellings too and is tried where the strict one has raised. What `fromText` can't
 * convert either is a loss: NULL in the lake, the text in the log, a row in `sluice.loss`.
 * All expressions are DuckDB's SQL: no subqueries, nothing volatile (TRY takes neither).
 */
export interface TypeMapping {
  /** DuckDB's type of the lake's column. */
  readonly lakeType: string;
  /** What to ask of from_json_strict for this column. */
  readonly parseType: string;
  /** From the parsed value to the lake's. Raises where that is not the same value. */
  value(parsed: string): string;
  /** From the text (a JSON string's content, or the JSON text of anything else) to the lake's value; raises where there is none. */
  fromText(text: string): string;
  /**
   * What the parser would alter, so the scanner (src/lake/exact.ts) turns it into a JSON string beforehand: `number` a number,
   * `json` any value, `array` the numbers in a list, and all of a list that holds lists. `no`: the parser alters nothing of this type.
   */
  readonly exact: 'no' | 'number' | 'json' | 'array';
  /** RE2 pattern that matches, right behind the key's colon, every value that the parser would alter, and maybe more; null with `no`. */
  readonly unsafe: string | null;
  /** The parser alters most values of this type: better cut them out of the text than scan almost every row. */
  readonly cut: boolean;
  /** Its JSON may hold keys written as those of the row itself are, with no space around: `,"key":`. */
  readonly keys: boolean;
  /** How the value is held, in a line; null: as the lake's type holds it. */
  readonly rule: string | null;
  /** What is not held, in a line; null: nothing. */
  readonly lost: string | null;
}

/** A mapping of which the usual is left out: parsed as what it becomes, from text by CAST, exact, nothing lost. */
export type MappingParts = Pick<TypeMapping, 'lakeType'> & Partial<TypeMapping>;

export function mapping(parts: MappingParts): TypeMapping {
  const { lakeType, parseType = lakeType } = parts;
  const cast = (text: string) => (lakeType === 'VARCHAR' ? text : `CAST(${text} AS ${lakeType})`);
  const fromText = parts.fromText ?? cast;
  const value = parts.value ?? (parseType === lakeType ? (parsed: string) => parsed : fromText);
  return { exact: 'no', unsafe: null, cut: false, keys: false, rule: null, lost: null, ...parts, parseType, fromText, value };
}
