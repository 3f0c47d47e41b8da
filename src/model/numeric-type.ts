import type { SourceType } from './source-type.ts';
import { mapping, type TypeMapping } from './type-mapping.ts';

/** More than 15 significant digits, which a double may alter; counted with the point, so an integer may match in vain. */
const LONG = '[0-9][0-9.]{16,}';
/** A double below 0.0001 is written with an exponent, which DuckDB's cast to DECIMAL does not always take: '1e-15' fits no DECIMAL(15,15). */
const SMALL = '0\\.0000[0-9]*[1-9]';
const TRAILING_ZERO = '[0-9]+\\.[0-9]*0[,}]';

/**
 * numeric: a DECIMAL where the declared precision fits one, else text. An undeclared precision says nothing about the next value,
 * and any DECIMAL that we would choose loses digits of some. numeric(5,-2) and numeric(2,4) are allowed in PostgreSQL.
 */
export function numericOf(type: SourceType): TypeMapping {
  const [, precision, scale = '0'] = /\((\d+)(?:,(-?\d+))?\)/.exec(type.text) ?? [];
  const width = precision === undefined ? undefined : Math.max(Number(precision) + Math.max(0, -Number(scale)), Number(scale));
  if (width === undefined || width > 38) {
    return mapping({
      lakeType: 'VARCHAR',
      exact: 'number',
      unsafe: `-?(?:${LONG}|${SMALL}|${TRAILING_ZERO})`,
      cut: true,
      rule: "PostgreSQL's text, NaN and Infinity too",
    });
  }
  const lakeType = `DECIMAL(${width},${Math.max(0, Number(scale))})`;
  const lost = 'NaN';
  const small = Number(scale) > 4 ? [SMALL] : [];
  // Up to 15 digits the double in between is the number, rounded to `scale` decimals.
  if (width <= 15) return mapping({ lakeType, lost, ...(small.length === 0 ? {} : { exact: 'number', unsafe: `-?${SMALL}` }) });
  return mapping({
    lakeType,
    parseType: 'VARCHAR',
    exact: 'number',
    unsafe: `-?(?:${[LONG, ...small].join('|')})`,
    cut: true,
    fromText: (text) => castWide(text, lakeType, Math.max(0, Number(scale))),
    lost,
  });
}

/** DuckDB takes 5 s per million texts to a DECIMAL above 18 digits, and 0.1 s up to there. What has up to 18 characters goes the short way. */
function castWide(text: string, lakeType: string, scale: number): string {
  const cast = `CAST(${text} AS ${lakeType})`;
  if (scale > 17) return cast;
  return `CASE WHEN length(${text}) <= 18 THEN CAST(CAST(${text} AS DECIMAL(18,${scale})) AS ${lakeType}) ELSE ${cast} END`;
}

/** `decimal(p,s)` as a user wrote it; undefined for anything that is no DECIMAL of DuckDB. */
export function decimalOf(wanted: string): TypeMapping | undefined {
  const [, precision, scale = '0'] = /^(?:decimal|numeric)\s*\(\s*(\d+)\s*(?:,\s*(\d+)\s*)?\)$/.exec(wanted) ?? [];
  if (precision === undefined || Number(precision) < 1 || Number(precision) > 38 || Number(scale) > Number(precision)) return undefined;
  const lakeType = `DECIMAL(${Number(precision)},${Number(scale)})`;
  return mapping({
    lakeType,
    parseType: 'VARCHAR',
    exact: 'number',
    unsafe: `-?(?:${LONG}|${SMALL})`,
    cut: true,
    // A cast would round silently.
    fromText: (text) =>
      `CAST(CASE WHEN regexp_matches(${text}, '\\.[0-9]{${Number(scale)}}[0-9]*[1-9]') THEN 'more decimals' ELSE ${text} END AS ${lakeType})`,
    rule: 'without the trailing zeros of the source',
    lost: 'NaN, Infinity, more digits than it has before or behind the point',
  });
}
