import { DuckDBInstance } from '@duckdb/node-api';
import type { Engine, Params } from '../../src/lake/engine.ts';
import { registerExact } from '../../src/lake/exact-function.ts';
import { type ExtensionName, installExtension } from '../../src/lake/extensions.ts';
import { type Row, toRows } from '../../src/lake/rows.ts';
import { silent, testPlaces } from './support.ts';

/** A DuckDB with the scanner registered and the settings of the engine. */
export interface TypedDuckDb extends AsyncDisposable {
  run(sql: string, params?: Params): Promise<number>;
  rows(sql: string, params?: Params): Promise<Row[]>;
  /** temp.stage with these texts as `data`; cdc_seq counts from 1. */
  stage(texts: readonly (string | null)[]): Promise<void>;
}

export async function openTyped(extensions: readonly ExtensionName[] = []): Promise<TypedDuckDb> {
  const instance = await DuckDBInstance.create(':memory:', {
    autoinstall_known_extensions: 'false',
    autoload_known_extensions: 'false',
    preserve_insertion_order: 'false',
  });
  const connection = await instance.connect();
  registerExact(connection);
  const duck: TypedDuckDb = {
    run: async (sql, params) => (await connection.run(sql, params)).rowsChanged,
    rows: async (sql, params) => toRows(await connection.run(sql, params)),
    stage: async (texts) => {
      await duck.run(
        'CREATE OR REPLACE TEMP TABLE stage (cdc_seq BIGINT, cdc_xid BIGINT, cdc_ts TIMESTAMPTZ, cdc_op VARCHAR, table_id INTEGER, data VARCHAR)',
      );
      const appender = await connection.createAppender('stage');
      for (const [index, text] of texts.entries()) {
        appender.appendBigInt(BigInt(index + 1));
        appender.appendBigInt(777n);
        appender.appendNull();
        appender.appendVarchar('I');
        appender.appendInteger(1);
        if (text === null) appender.appendNull();
        else appender.appendVarchar(text);
        appender.endRow();
      }
      appender.closeSync();
    },
    [Symbol.asyncDispose]: async () => {
      connection.closeSync();
      instance.closeSync();
    },
  };
  await duck.run("SET TimeZone = 'UTC'");
  const [about] = await duck.rows('SELECT version() AS version, (SELECT platform FROM pragma_platform()) AS platform');
  const load = (target: string) => duck.run(`LOAD ${target}`);
  const engine = { ...duck, load, log: silent, version: String(about?.version), platform: String(about?.platform) } as unknown as Engine;
  for (const name of extensions) await installExtension(engine, name, testPlaces(engine));
  return duck;
}
