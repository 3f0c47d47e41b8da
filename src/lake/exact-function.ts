import { type DuckDBConnection, DuckDBScalarFunction, VARCHAR } from '@duckdb/node-api';
import { EXACT, type ExactKind, exactText } from './exact.ts';

/**
 * Give the engine the scanner of exact.ts as a scalar function, for all its connections. `keys` is a JSON object from key to kind.
 * DuckDB's threads hand their chunks to the thread of JavaScript one after the other and wait meanwhile: several threads and
 * transactions are no matter, but that thread must not be blocked until the statement ends.
 */
export function registerExact(connection: DuckDBConnection): void {
  const parsed = new Map<string, ReadonlyMap<string, ExactKind>>();
  const keysOf = (spec: string) => {
    let keys = parsed.get(spec);
    if (keys === undefined) {
      // One entry per table in its present shape; a daemon that sees schema changes for months must not keep them all.
      if (parsed.size >= 4096) parsed.clear();
      keys = new Map(Object.entries(JSON.parse(spec) as Record<string, ExactKind>).map(([key, kind]) => [JSON.stringify(key), kind]));
      parsed.set(spec, keys);
    }
    return keys;
  };
  connection.registerScalarFunction(
    DuckDBScalarFunction.create({
      name: EXACT,
      parameterTypes: [VARCHAR, VARCHAR],
      returnType: VARCHAR,
      mainFunction: (_info, input, output) => {
        const texts = input.getColumnVector(0);
        const specs = input.getColumnVector(1);
        for (let row = 0; row < input.rowCount; row += 1) {
          const text = texts.getItem(row);
          const spec = specs.getItem(row);
          output.setItem(row, typeof text === 'string' && typeof spec === 'string' ? exactText(text, keysOf(spec)) : text);
        }
        output.flush();
      },
    }),
  );
}
