import type { Contents, Staged } from '../model/batch.ts';
import type { BatchReader, Stager } from '../pipeline/ports.ts';
import type { Engine } from './engine.ts';
import { secretsOf } from './redact.ts';
import type { RowSource } from './row-source.ts';
import { literal } from './sql.ts';
import { forgetStage, stagedJson, stageError, stageWith } from './stage.ts';

/**
 * From so many rows on a batch is not staged but read when the lake logs it: no second copy, and PostgreSQL makes the rows while the engine writes those
 * before. The source's session is in a transaction (read only) until the lake has committed: seconds per million rows; none for small batches.
 * Not the number of goesStraight, though equal to it: this one counts the whole batch, that one a table's changes, and neither relies on the other.
 */
const STREAM_ROWS = 50_000;
/**
 * Wider rows than this are staged all the same: the engine carries 2,048 at a time through every step of a statement, and a temporary table spills
 * where a Parquet writer runs out of memory (seen at 20 kB, with 384 MB).
 */
const STREAM_WIDTH = 4096;
/** A batch of this size is small whatever its rows are. */
const SMALL_BYTES = 1_000_000;

/**
 * Reads a batch by DuckDB's `postgres` extension (binary COPY underneath); `postgres_scanner` must be loaded. The source is attached for one
 * batch only, about 10 ms: an attached source is asked by every look into DuckDB's catalogue (`duckdb_tables()`), which then
 * fails while the source is down. So no session of ours stays at the source.
 */
export function postgresStager(engine: Engine, streamRows = STREAM_ROWS): Stager {
  return {
    async stage(reader: BatchReader, contents: Contents): Promise<Staged> {
      const failure = (error: unknown) => stageError(error, secretsOf(reader.dsn));
      const from = `(SELECT * REPLACE (${stagedJson('data')} AS data, ${stagedJson('context')} AS context) FROM postgres_query('source', ${literal(reader.query)}))`;
      const close = () => engine.exclusive(async (sql) => void (await sql.run('DETACH DATABASE IF EXISTS source').catch(() => undefined)));
      const streams = contents.rows >= streamRows && contents.bytes <= Math.max(contents.rows * STREAM_WIDTH, SMALL_BYTES);
      try {
        return await engine.exclusive(async (sql) => {
          await sql.run(`ATTACH OR REPLACE ${literal(reader.dsn)} AS source (TYPE postgres, READ_ONLY)`);
          if (!streams) return stageWith(sql, contents, async () => void (await sql.run(`INSERT INTO temp.stage FROM ${from}`)));
          await forgetStage(sql);
          return { contents, from, failure, close };
        });
      } catch (error) {
        await close();
        throw failure(error);
      } finally {
        if (!streams) await close();
      }
    },
  };
}

/**
 * Reads rows for loads, several statements at once if need be: each attaches the source under a name of its own, which the next one takes over. To attach
 * and detach it takes 20 ms, and the server a new session.
 */
export function postgresRows(): RowSource {
  let count = 0;
  let free: string[] = [];
  return {
    native: true,
    async read(sql, reader, _columns, statement) {
      const name = free.pop() ?? `source_rows_${++count}`;
      try {
        // An engine that was opened anew has nothing attached.
        await sql.run(`ATTACH IF NOT EXISTS ${literal(reader.dsn)} AS ${name} (TYPE postgres, READ_ONLY)`);
        await sql.run(statement(`postgres_query(${literal(name)}, ${literal(reader.query)})`));
        free.push(name);
      } catch (error) {
        await sql.run(`DETACH DATABASE IF EXISTS ${name}`).catch(() => undefined);
        throw stageError(error, secretsOf(reader.dsn));
      }
    },
    async release(sql) {
      const names = free;
      free = [];
      for (const name of names) await sql.run(`DETACH DATABASE IF EXISTS ${name}`).catch(() => undefined);
    },
  };
}
