import { randomUUID } from 'node:crypto';
import type { Readable } from 'node:stream';
import pg from 'pg';
import postgres from 'postgres';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { Engine } from '../../src/lake/engine.ts';
import type { Contents } from '../../src/model/batch.ts';
import type { BatchReader, Stager } from '../../src/pipeline/ports.ts';
import { connect } from '../../src/source/index.ts';
import { statement } from '../../src/source/sql.ts';
import { freshDatabase, type PostgresAddress } from '../support/postgres.ts';

/** A table that stands in for audit.cdc_old, and its reader as src/source builds one. */
export interface Buffer {
  readonly table: string;
  readonly sql: postgres.Sql;
  reader(overrides?: Partial<BatchReader>): BatchReader;
  put(rows: readonly { seq: number | string; op?: string; table?: number; data: string | null; ts?: string }[]): Promise<void>;
  /** What the source would say of it; `few`: with the changes themselves. */
  contents(few?: boolean): Promise<Contents>;
  drop(): Promise<void>;
}

export async function makeBuffer(url: string): Promise<Buffer> {
  const sql = postgres(url, { max: 1, onnotice: () => undefined });
  const table = `stand_in_${randomUUID().replaceAll('-', '')}`;
  await sql.unsafe(
    `CREATE TABLE ${table} (cdc_seq bigint, cdc_xid xid8, cdc_ts timestamptz, cdc_op "char", table_id int, data json, context json)`,
  );
  const query = `SELECT cdc_seq, cdc_xid::text::int8 AS cdc_xid, cdc_ts, cdc_op::text AS cdc_op, table_id, data, context FROM ${table}`;
  return {
    table,
    sql,
    reader: (overrides = {}) => ({ dsn: url, query, copyCsv: () => copy(url, `COPY (${query}) TO STDOUT (FORMAT csv)`), ...overrides }),
    async put(list) {
      for (const row of list) {
        await sql`INSERT INTO ${sql(table)} VALUES (${row.seq}, pg_current_xact_id(), ${row.ts ?? '2026-11-21 10:00:00.123456+00'}::text::timestamptz,
          ${row.op ?? 'I'}::"char", ${row.table ?? 1}, ${row.data}::text::json)`;
      }
    },
    async contents(few = false) {
      const [counted] = await sql.unsafe<{ n: number; few: string | null }[]>(
        `SELECT count(*)::int AS n, ${few ? `(${statement('few').replace('({changes})', `(${query})`)})` : 'NULL'} AS few FROM ${table}`,
      );
      return {
        batch: randomUUID(),
        rows: counted?.n ?? 0,
        bytes: 0,
        toasted: 0,
        sentinel: true,
        tables: {},
        changes: {},
        few: counted?.few ?? null,
      };
    },
    async drop() {
      await sql.unsafe(`DROP TABLE ${table}`);
      await sql.end();
    },
  };
}

/** A COPY on a connection of its own, ended with the stream. */
async function copy(url: string, statement: string): Promise<Readable> {
  const sql = connect({ url, applicationName: 'stand-in', max: 1 });
  const stream = await sql.unsafe(statement).readable();
  stream.once('close', () => void sql.end({ timeout: 1 }));
  return stream;
}

/** Sessions of the database that sit in a transaction. */
export async function idleInTransaction(url: string): Promise<number> {
  const client = new pg.Client({ connectionString: url });
  await client.connect();
  try {
    const { rows } = await client.query(
      "SELECT count(*)::int AS n FROM pg_stat_activity WHERE state LIKE 'idle in transaction%' AND datname = current_database()",
    );
    return rows[0].n;
  } finally {
    await client.end();
  }
}

const hostile = [
  '{}',
  '""',
  '{"a":"quote \\" backslash \\\\ slash / comma , apostrophe \'"}',
  '{"a":\n  "line\\nbreak\\r\\n",\r\n\t"b":1}',
  '{"a":"\\u0000 \\ud83e\\udd86 🦆 \u2028 ﷽"}',
  '{"a":12345678901234567890.123456789012345678,"b":2.50,"c":-0,"d":1e-400}',
  '"\\\\N"',
  '{"a":"\\\\."}',
  ' {"leading": "space"} ',
  '"é"',
];

/** Every way to stage a batch keeps these promises. */
export function stagerContract(
  name: string,
  make: () => { engine: Engine; server: PostgresAddress; stager: Stager },
  { streams = false, few = false } = {},
): void {
  describe(`stager contract: ${name}`, () => {
    let engine: Engine;
    let stager: Stager;
    let url: string;
    let buffer: Buffer;
    let database: { url: string; drop(): Promise<void> };

    beforeAll(async () => {
      const made = make();
      ({ engine, stager } = made);
      database = await freshDatabase(made.server);
      url = database.url;
    });
    afterAll(() => database.drop());
    beforeEach(async () => {
      buffer = await makeBuffer(url);
    });
    afterEach(() => buffer.drop());

    const exists = async () =>
      (await engine.rows("SELECT 1 FROM duckdb_tables() WHERE table_name = 'stage' AND database_name = 'temp'")).length > 0;
    const attached = async () => (await engine.rows("SELECT 1 FROM duckdb_databases() WHERE database_name = 'source'")).length > 0;

    /** Stage it and read it as a lake does, into temp.arrived. Resolves with the number of rows. */
    async function arrive(reader?: BatchReader, contents?: Contents): Promise<number> {
      const staged = await stager.stage(reader ?? buffer.reader(), contents ?? (await buffer.contents(few && reader === undefined)));
      try {
        await engine.run(
          'CREATE OR REPLACE TEMP TABLE arrived (cdc_seq BIGINT, cdc_xid BIGINT, cdc_ts TIMESTAMPTZ, cdc_op VARCHAR, table_id INTEGER, data JSON, context JSON)',
        );
        return await engine.run(`INSERT INTO temp.arrived FROM ${staged.from[0]}`);
      } catch (error) {
        throw staged.failure(error);
      } finally {
        await staged.close();
      }
    }
    const arrived = () => engine.rows('FROM temp.arrived ORDER BY cdc_seq');

    test('rows arrive exactly', async () => {
      await buffer.put(hostile.map((data, seq) => ({ seq, data })));
      await buffer.put([
        { seq: 100, op: 'T', table: 2, data: null },
        { seq: '9223372036854775807', op: 'D', data: '{}', ts: '1969-12-31 23:59:59.999999+00' },
      ]);
      expect(await arrive()).toBe(12);
      const rows = await arrived();
      expect(rows.slice(0, 10).map((row) => row.data)).toEqual(hostile);
      const [expected] = await buffer.sql.unsafe(`SELECT DISTINCT cdc_xid::text AS xid FROM ${buffer.table} WHERE cdc_seq = 0`);
      expect(rows[0]).toMatchObject({ cdc_xid: Number(expected?.xid), cdc_ts: '2026-11-21 10:00:00.123456+00', cdc_op: 'I', table_id: 1 });
      expect(rows[10]).toMatchObject({ cdc_op: 'T', table_id: 2, data: null });
      expect(rows[11]).toMatchObject({ cdc_seq: '9223372036854775807', cdc_ts: '1969-12-31 23:59:59.999999+00' });
    });

    test('times are those of the source, whatever DateStyle and TimeZone its sessions have', async () => {
      const admin = postgres(url, { max: 1, onnotice: () => undefined });
      await admin.unsafe(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET DateStyle = German', current_database());
        EXECUTE format('ALTER DATABASE %I SET TimeZone = ''Asia/Kolkata''', current_database()); END $$`);
      try {
        const strange = await makeBuffer(url);
        await strange.put([{ seq: 1, data: '{}', ts: '2026-02-03 04:05:06.000007+00' }]);
        await arrive(strange.reader(), await strange.contents(few));
        expect((await arrived())[0]?.cdc_ts).toBe('2026-02-03 04:05:06.000007+00');
        await strange.drop();
      } finally {
        await admin.unsafe(`DO $$ BEGIN EXECUTE format('ALTER DATABASE %I RESET ALL', current_database()); END $$`);
        await admin.end();
      }
    });

    test('an empty batch: no rows; the batch before it is gone', async () => {
      await buffer.put([{ seq: 1, data: '{}' }]);
      await arrive();
      await buffer.sql.unsafe(`TRUNCATE ${buffer.table}`);
      expect(await arrive()).toBe(0);
    });

    test('what was committed since the last stage is seen', async () => {
      for (let seq = 1; seq <= 3; seq += 1) {
        await buffer.put([{ seq, data: '{}' }]);
        expect(await arrive()).toBe(seq);
      }
    });

    // In CSV 38 MB: wider than the first two buffers of the FIFO's reader.
    test('a value of 30 MB', async () => {
      await buffer.sql.unsafe(
        `INSERT INTO ${buffer.table} SELECT 1, pg_current_xact_id(), now(), 'I', 1, json_build_object('a', repeat('x"\\', 6300000))`,
      );
      await arrive();
      const [lake] = await engine.rows('SELECT strlen(data) AS n, md5(data) AS md5 FROM temp.arrived');
      const [source] = await buffer.sql.unsafe(`SELECT octet_length(data::text) AS n, md5(data::text) AS md5 FROM ${buffer.table}`);
      expect(lake).toEqual({ ...source });
      expect(lake?.n).toBeGreaterThan(30_000_000);
    });

    test.skipIf(streams)('fewer rows than the source counted: stage_incomplete, and nothing is left', async () => {
      await buffer.put([{ seq: 1, data: '{}' }]);
      await expect(arrive(buffer.reader(), { ...(await buffer.contents(few)), rows: 5 })).rejects.toMatchObject({
        code: 'stage_incomplete',
      });
      expect(await exists()).toBe(false);
    });

    test('what is JSON to PostgreSQL can be read as JSON here; what DuckDB refuses is kept exactly, inside a JSON string', async () => {
      const odd = [
        '{"a":"\\ud800"}',
        '"\\udfff \\\\u0041"',
        '{"a":1e999,"b":-1E-999}',
        '{"a":1,"a":2}',
        `${'['.repeat(3000)}${']'.repeat(3000)}`,
        ' null ',
      ];
      await buffer.put(odd.map((data, seq) => ({ seq, data })));
      await arrive();
      const rows = await engine.rows(
        "SELECT json_valid(data) AS valid, CASE WHEN cdc_seq < 2 THEN data ->> '$' ELSE data::VARCHAR END AS text FROM temp.arrived ORDER BY cdc_seq",
      );
      expect(rows).toEqual(odd.map((text) => ({ valid: true, text })));
    });

    test('the source fails before the first row, in the middle, or dies: a rejection, and the next stage works', async () => {
      await buffer.sql.unsafe(
        `INSERT INTO ${buffer.table} SELECT g, pg_current_xact_id(), now(), 'I', 1, json_build_object('a', repeat('x', 200)) FROM generate_series(1, 50000) g`,
      );
      const query = buffer.reader().query;
      const failing = [
        `SELECT 1/0`,
        query.replace(
          ', data, context FROM',
          ', CASE WHEN cdc_seq = 40000 THEN to_json(1 / (cdc_seq - 40000)) ELSE data END, context FROM',
        ),
        query.replace(
          ', data, context FROM',
          ', CASE WHEN cdc_seq = 40000 THEN to_json(pg_terminate_backend(pg_backend_pid())) ELSE data END, context FROM',
        ),
      ];
      for (const bad of failing) {
        const reader = buffer.reader({ query: bad, copyCsv: () => copy(url, `COPY (${bad}) TO STDOUT (FORMAT csv)`) });
        await expect(arrive(reader)).rejects.toMatchObject({ name: 'SluiceError', code: 'stage_failed' });
        expect(await exists()).toBe(false);
        expect(await attached()).toBe(false);
        expect(await idleInTransaction(url)).toBe(0);
      }
      expect(await arrive()).toBe(50000);
    });

    test('the source is left without an open transaction', async () => {
      await buffer.put([{ seq: 1, data: '{}' }]);
      await arrive();
      expect(await attached()).toBe(false);
      expect(await idleInTransaction(url)).toBe(0);
      // What an idle reader must never block.
      await buffer.sql.unsafe(`SET lock_timeout = 500; TRUNCATE ${buffer.table}; ALTER TABLE ${buffer.table} RENAME TO ${buffer.table}_x;
        ALTER TABLE ${buffer.table}_x RENAME TO ${buffer.table}`);
    });

    test('a wrong password is not shown', async () => {
      const wrong = new URL(url);
      wrong.password = 'open%20sesame';
      const reader = buffer.reader({ dsn: wrong.href, copyCsv: () => copy(wrong.href, 'COPY (SELECT 1) TO STDOUT') });
      const error = await arrive(reader).then(
        () => undefined,
        (reason: unknown) => reason as Error,
      );
      expect(error).toMatchObject({ code: 'stage_failed' });
      expect(`${error?.message} ${error?.stack} ${(error?.cause as Error)?.message} ${(error?.cause as Error)?.stack}`).not.toMatch(
        /sesame/,
      );
    });
  });
}
