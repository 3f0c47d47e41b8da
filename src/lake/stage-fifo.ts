import { execFile } from 'node:child_process';
import { constants, open } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Readable } from 'node:stream';
import { pipeline } from 'node:stream/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { promisify } from 'node:util';
import type { Contents, Staged } from '../model/batch.ts';
import { SluiceError } from '../model/error.ts';
import type { BatchReader, Stager } from '../pipeline/ports.ts';
import type { Engine, Sql } from './engine.ts';
import { redact, secretsOf } from './redact.ts';
import type { RowSource } from './row-source.ts';
import { literal } from './sql.ts';
import { REMEDY, stageError, stageWith } from './stage.ts';

/**
 * Bytes that one CSV line may have, tried in turn: the engine allocates buffers of this size whatever the lines are, so a batch starts with little
 * and is staged again with more when it has shown that it needs it. A JSON text doubles its quotes in CSV: a value of 300 MB can
 * be 600 MB wide, and no value of PostgreSQL exceeds 1 GB.
 */
const LINE_SIZES = [4_000_000, 32_000_000, 160_000_000, 640_000_000, 2_000_000_000] as const;

/**
 * Reads a batch as CSV through a FIFO into `read_csv`: needs no extension, takes about four times as long as the `postgres` extension.
 *
 * Nothing here may hang. Opening a FIFO blocks until the other side opens it too, so our side opens without blocking, again and again
 * until the engine waits in its open() or has failed. It is written as a socket: no thread waits for a full pipe, an engine that
 * fails gives EPIPE, and whatever ends the source closes the FIFO, which the engine sees as end of file.
 */
export function fifoStager(engine: Engine): Stager {
  return {
    stage(reader: BatchReader, contents: Contents): Promise<Staged> {
      return engine.exclusive(async (sql) => {
        try {
          return await widening(engine.log, (fifo, lineSize) =>
            stageWith(sql, contents, () => fill(sql, reader, fifo, insertStatement(fifo, lineSize))),
          );
        } catch (error) {
          throw stageError(error, secretsOf(reader.dsn));
        }
      });
    },
  };
}

/** Reads rows for loads as a batch is read: all of them texts. */
export function fifoRows(engine: Engine): RowSource {
  return {
    native: false,
    async release() {},
    async read(sql, reader, columns, statement) {
      const types = `{${columns.map((name) => `${literal(name)}: 'VARCHAR'`).join(', ')}}`;
      try {
        await widening(engine.log, (fifo, lineSize) => fill(sql, reader, fifo, statement(readCsv(fifo, lineSize, types))));
      } catch (error) {
        throw stageError(error, secretsOf(reader.dsn));
      }
    },
  };
}

/** Try with lines of each size until they are long enough. */
async function widening<T>(log: Engine['log'], attempt: (fifo: string, lineSize: number) => Promise<T>): Promise<T> {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-fifo-'));
  try {
    for (const lineSize of LINE_SIZES) {
      try {
        return await attempt(join(folder, `batch-${lineSize}.csv`), lineSize);
      } catch (error) {
        if (!isLineTooLong(error) || lineSize === LINE_SIZES.at(-1)) throw error;
        log.info({ lineSize }, 'a value is wider than expected, reading again');
      }
    }
    throw new Error('unreachable');
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

/** Run a statement that reads the FIFO, and write the reader's rows into it. */
async function fill(sql: Sql, reader: BatchReader, fifo: string, statement: string): Promise<void> {
  await promisify(execFile)('mkfifo', ['-m', '600', fifo]);
  const source = await reader.copyCsv().catch((error: unknown) => {
    throw sourceError(error, reader);
  });
  // An error before anyone listens would be an uncaught exception; pipeline sees it later by `destroyed`.
  let early: unknown;
  source.once('error', (error) => {
    early = error;
  });
  let failed = false;
  const loading = sql.run(statement);
  loading.catch(() => {
    failed = true;
  });
  const writing = feed(source, fifo, () => failed).then(
    () => undefined,
    (error: unknown) => early ?? error,
  );
  const [loaded, sourceFailure] = await Promise.all([
    loading.then(
      () => undefined,
      (error: unknown) => error,
    ),
    writing,
  ]);
  source.destroy();
  // EPIPE says only that the engine stopped reading; its own error says why. Any other error is the source's, and then the engine's
  // (half a line) follows from it.
  const stopped = (sourceFailure as NodeJS.ErrnoException | undefined)?.code === 'EPIPE';
  if (loaded !== undefined && (sourceFailure === undefined || stopped)) throw loaded;
  if (sourceFailure !== undefined) throw sourceError(sourceFailure, reader);
}

async function feed(source: Readable, fifo: string, failed: () => boolean): Promise<void> {
  const fd = await openForWriting(fifo, failed);
  if (fd === undefined) {
    source.destroy();
    return;
  }
  await pipeline(source, new Socket({ fd, readable: false, writable: true }));
}

/** A descriptor as soon as the engine has come to open the other end; undefined when it failed before. */
async function openForWriting(fifo: string, failed: () => boolean): Promise<number | undefined> {
  for (;;) {
    try {
      // A bare descriptor: a FileHandle would close it when collected.
      return await promisify(open)(fifo, constants.O_WRONLY | constants.O_NONBLOCK);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'ENXIO') throw error;
    }
    if (failed()) return undefined;
    await sleep(1);
  }
}

const BATCH = `{cdc_seq: 'BIGINT', cdc_xid: 'BIGINT', cdc_ts: 'TIMESTAMPTZ', cdc_op: 'VARCHAR', table_id: 'INTEGER', data: 'VARCHAR', context: 'VARCHAR'}`;

function insertStatement(fifo: string, lineSize: number): string {
  return `INSERT INTO temp.stage SELECT * REPLACE (coalesce(TRY_CAST(data AS JSON), to_json(data)) AS data, coalesce(TRY_CAST(context AS JSON), to_json(context)) AS context)
    FROM ${readCsv(fifo, lineSize, BATCH)}`;
}

function readCsv(fifo: string, lineSize: number, columns: string): string {
  return `read_csv(${literal(fifo)}, header = false, auto_detect = false, delim = ',', quote = '"', escape = '"',
    nullstr = '', allow_quoted_nulls = false, new_line = '\\n', strict_mode = true, max_line_size = ${lineSize}, buffer_size = ${2 * lineSize}, parallel = false,
    columns = ${columns})`;
}

/** PostgreSQL writes no malformed CSV, so a line that seems to lack its closing quote was wider than the buffer. */
function isLineTooLong(error: unknown): boolean {
  return error instanceof Error && /Maximum line size|Expected Number of Columns|unterminated quote/i.test(error.message);
}

function sourceError(error: unknown, reader: BatchReader): SluiceError {
  const text = redact(error instanceof Error ? error.message : String(error), secretsOf(reader.dsn));
  return new SluiceError('stage_failed', `The batch could not be read from the source: ${text}`, REMEDY, { cause: error });
}
