import type { SourceType } from './source-type.ts';

/**
 * How a column of the source becomes one of the lake. Two ways lead from the captured JSON text to the lake's value:
 * the strict one (`parseType`, `value`), which raises where the lake can't hold a value, and the thorough one (`fromText`), which
 * reads every value from its text, knows the rare spellings too and is tried where the strict one has raised. What `fromText` can't
 * convert either is a loss: NULL in the lake, the text in the log, a row in `sluice.loss`.
 * All expressions are DuckDB's SQL and free of subqueries.
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
   * `json` any value, `array` the numbers in a list and all of a list within a list. `no`: the parser alters nothing of this type.
   */
  readonly exact: 'no' | 'number' | 'json' | 'array';
  /** RE2 pattern that matches, right behind the key's colon, every value that the parser would alter, and maybe more; null with `no`. */
  readonly unsafe: string | null;
  /** How the value is held, in a line. */
  readonly rule: string;
  /** What can't be held, in a line; null: nothing. */
  readonly lost: string | null;
}

/**
 * The mapping of a type.
 * @param override the user's own choice: `varchar` (the captured text) for any type, `json` for arrays, `decimal(p,s)` for numeric and arrays of it
 * @throws SluiceError config_invalid for an override that the type does not take; `column` names it in the message
 */
export declare function mapType(type: SourceType, override?: string, column?: string): TypeMapping;
