import type { Staged } from '../model/batch.ts';
import type { BatchReader, Stager } from '../pipeline/ports.ts';
import type { Engine } from './engine.ts';
import { secretsOf } from './redact.ts';
import { literal } from './sql.ts';
import { stagedJson, stageError, stageWith } from './stage.ts';

/**
 * Reads a batch by DuckDB's `postgres` extension (binary COPY underneath); `postgres_scanner` must be loaded. The source is attached for one
 * stage only, about 10 ms: an attached source is asked by every look into DuckDB's catalogue (`duckdb_tables()`), which then
 * fails while the source is down. So no session of ours stays at the source, let alone one in a transaction.
 */
export function postgresStager(engine: Engine): Stager {
  return {
    stage(reader: BatchReader): Promise<Staged> {
      return engine.exclusive(async (sql) => {
        try {
          return await stageWith(sql, async () => {
            await sql.run(`ATTACH OR REPLACE ${literal(reader.dsn)} AS source (TYPE postgres, READ_ONLY)`);
            await sql.run(
              `INSERT INTO temp.stage SELECT * REPLACE (${stagedJson('data')} AS data, ${stagedJson('context')} AS context) FROM postgres_query($source, $query)`,
              {
                source: 'source',
                query: reader.query,
              },
            );
          });
        } catch (error) {
          throw stageError(error, secretsOf(reader.dsn));
        } finally {
          await sql.run('DETACH DATABASE IF EXISTS source').catch(() => undefined);
        }
      });
    },
  };
}
