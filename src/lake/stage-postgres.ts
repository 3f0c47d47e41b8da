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
 * Wide rows are never staged, but read in slices. For the engine carries 2,048 rows at a time through every step of a statement, and of 20 kB each neither
 * a Parquet writer nor a temporary table has room at 384 MB. There may be some where so many bytes lie outside of their rows,
 */
const WIDE_BYTES = 1_000_000;
/** or where rows take so much on the average, for what compresses well lies in them. */
const WIDE_ROW = 1_000;

/**
 * Reads a batch by DuckDB's `postgres` extension (binary COPY underneath); `postgres_scanner` must be loaded. The source is attached for one
 * batch only, about 10 ms: an attached source is asked by every look into DuckDB's catalogue (`duckdb_tables()`), which then
 * fails while the source is down. So no session of ours stays at the source.
 */
export function postgresStager(engine: Engine, streamRows = STREAM_ROWS): Stager {
  return {
    async stage(reader: BatchReader, contents: Contents): Promise<Staged> {
      const failure = (error: unknown) => stageError(error, secretsOf(reader.dsn));
      const fromOf = (query: string) =>
        `(SELECT * REPLACE (${stagedJson('data')} AS data, ${stagedJson('context')} AS context) FROM postgres_query('source', ${literal(query)}))`;
      const close = () => engine.exclusive(async (sql) => void (await sql.run('DETACH DATABASE IF EXISTS source').catch(() => undefined)));
      const mayBeWide = contents.toasted > WIDE_BYTES || contents.bytes > contents.rows * WIDE_ROW + WIDE_BYTES;
      const queries = (mayBeWide && (await reader.slices?.())) || [reader.query];
      const streams = contents.rows >= streamRows || queries.length > 1;
      try {
        return await engine.exclusive(async (sql) => {
          await sql.run(`ATTACH OR REPLACE ${literal(reader.dsn)} AS source (TYPE postgres, READ_ONLY)`);
          if (!streams)
            return stageWith(sql, contents, async () => void (await sql.run(`INSERT INTO temp.stage FROM ${fromOf(reader.query)}`)));
          await forgetStage(sql);
          return { contents, from: queries.map(fromOf), failure, close };
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
