import { StatementType } from '@duckdb/node-api';
import { SluiceError } from '../model/error.ts';
import { attachAsOf, NOW } from './as-of.ts';
import { attachStatement, type LakeConfig } from './config.ts';
import type { Engine, Sql } from './engine.ts';
import { lakeError } from './errors.ts';
import { redact, secretsOf } from './redact.ts';
import type { Column, Row } from './rows.ts';

export interface QueryLake {
  /**
   * Run one statement that reads. Rows as JSON objects: integers beyond 2^53, decimals, timestamps and the like as strings.
   * Rejects with `query_failed` for an error in the SQL, with `query_refused` for anything but one reading statement.
   */
  query(sql: string): Promise<{ columns: Column[]; rows: Row[] }>;
  close(): Promise<void>;
}

export interface QueryOptions {
  /** Show all tables as of the last cut at or before this time. */
  readonly at?: string | undefined;
}

/**
 * The lake, read-only and as the default catalog: `cdc`, `public.orders`, `sluice.batch`. The engine must have its extensions and no lake attached.
 * @throws SluiceError as `lakeError` gives them, and query_time for an `at` that is no time of this lake
 */
export async function openForQuery(engine: Engine, config: LakeConfig, { at }: QueryOptions = {}): Promise<QueryLake> {
  const secrets = config.type === 'ducklake' ? secretsOf(config.catalog) : [];
  const attached: string[] = [];
  const detach = async (sql: Sql) => {
    await sql.run('USE memory');
    for (const name of attached.splice(0).reverse()) await sql.run(`DETACH DATABASE IF EXISTS ${name}`);
  };
  await engine.exclusive(async (sql) => {
    try {
      const name = at === undefined ? 'lake' : NOW;
      await sql.run(attachStatement(config, 'read', name));
      attached.push(name);
      if (at !== undefined) {
        attached.push('lake');
        await attachAsOf(sql, at, { snapshots: config.type === 'ducklake' });
      }
      await sql.run('USE lake');
    } catch (error) {
      await detach(sql);
      throw lakeError(error, 'opening the lake to read', secrets);
    }
  });
  return {
    async query(text) {
      try {
        await assertReading(engine, text);
        return await engine.table(text);
      } catch (error) {
        const wrapped = lakeError(error, 'query', secrets);
        if (wrapped.code !== 'lake_failed') throw wrapped;
        // The user's own statement: DuckDB's whole message, with the place, is what helps.
        const message = redact(error instanceof Error ? error.message : String(error), secrets);
        throw new SluiceError('query_failed', message, 'Correct the SQL; `SHOW ALL TABLES` lists what the lake holds.', {
          cause: wrapped.cause,
        });
      }
    },
    async close() {
      await engine.exclusive(detach);
    },
  };
}

const BLANK = String.raw`(?:\s|--[^\n]*(?:\n|$)|/\*[\s\S]*?\*/)`;
const EXPLAIN = new RegExp(`^${BLANK}*EXPLAIN${BLANK}+(?:ANALYZE${BLANK}+)?(?:\\(\\s*(?:ANALYZE|FORMAT)\\b[^()]*\\)${BLANK}*)?`, 'i');
const EXPORT = new RegExp(`^${BLANK}*EXPORT\\b`, 'i');

/**
 * The attachment is read-only, but COPY, ATTACH, EXPORT, INSTALL or SET would act beside it. SHOW, DESCRIBE, SUMMARIZE and the PRAGMAs that
 * read are SELECTs to DuckDB.
 */
async function assertReading(engine: Engine, text: string): Promise<void> {
  const explained = text.replace(EXPLAIN, '');
  // To learn a statement's kind is to bind it, and binding an EXPORT makes its folder.
  if (EXPORT.test(explained)) throw refused('This statement does more than read.');
  const kinds = await engine.kinds(text);
  if (kinds.length === 0) throw refused('The text holds no SQL statement.');
  if (kinds.length > 1) throw refused('The text holds more than one statement.');
  if (kinds[0] === StatementType.SELECT) return;
  if (kinds[0] !== StatementType.EXPLAIN) throw refused('This statement does more than read.');
  // EXPLAIN ANALYZE runs what it explains. What can't be told from the text is refused.
  const inner = explained === text ? [] : await engine.kinds(explained).catch(() => []);
  if (inner[0] !== StatementType.SELECT) throw refused('EXPLAIN is for a statement that reads.');
}

function refused(message: string): SluiceError {
  const remedy =
    'Pass exactly one SELECT, WITH, FROM, SHOW, DESCRIBE, SUMMARIZE or EXPLAIN. PIVOT needs its values (IN …). For all else use the DuckDB shell.';
  return new SluiceError('query_refused', message, remedy);
}
