import {
  type DuckDBMaterializedResult,
  DuckDBTimestampTZValue,
  type DuckDBType,
  DuckDBTypeId,
  type DuckDBValue,
  type DuckDBValueConverter,
  type Json,
  JsonDuckDBValueConverter,
} from '@duckdb/node-api';

/** A value as `sluice query` prints it: JSON, with everything a double can't hold exactly as a string. */
export type Cell = Json;
export type Row = Record<string, Cell>;

export interface Column {
  readonly name: string;
  /** DuckDB's name of the type, e.g. `BIGINT`, `DECIMAL(18,2)`, `TIMESTAMP WITH TIME ZONE`. */
  readonly type: string;
}

const integers: ReadonlySet<DuckDBTypeId> = new Set([
  DuckDBTypeId.BIGINT,
  DuckDBTypeId.UBIGINT,
  DuckDBTypeId.HUGEINT,
  DuckDBTypeId.UHUGEINT,
]);

/**
 * The client's own JSON conversion with two changes: wide integers become numbers where a double holds them, and a
 * timestamptz is written in UTC (the client would use the zone of the machine).
 */
const exact: DuckDBValueConverter<Json> = (value: DuckDBValue, type: DuckDBType, self: DuckDBValueConverter<Json>) => {
  if (typeof value === 'bigint' && integers.has(type.typeId)) {
    const number = Number(value);
    return Number.isSafeInteger(number) ? number : value.toString();
  }
  if (value instanceof DuckDBTimestampTZValue) return utc(value);
  return JsonDuckDBValueConverter(value, type, self);
};

function utc(value: DuckDBTimestampTZValue): string {
  const zone = DuckDBTimestampTZValue.timezoneOffsetInMinutes;
  DuckDBTimestampTZValue.timezoneOffsetInMinutes = 0;
  try {
    return value.toString();
  } finally {
    DuckDBTimestampTZValue.timezoneOffsetInMinutes = zone;
  }
}

/** All rows of a result as objects. A column name that occurs twice gets a suffix (`a`, `a_1`). */
export async function toRows(result: DuckDBMaterializedResult): Promise<Row[]> {
  return (await result.convertRowObjects(exact)) as Row[];
}

/** The columns of a result, named as in `toRows`. */
export function toColumns(result: DuckDBMaterializedResult): Column[] {
  return result.deduplicatedColumnNames().map((name, index) => ({ name, type: result.columnType(index).toString() }));
}
