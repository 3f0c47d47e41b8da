import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Projection, projectTable } from '../../src/lake/projection.ts';
import { parseSourceColumns } from '../../src/model/source-type.ts';
import { openTyped, type TypedDuckDb } from '../lake/typed.ts';
import { type Lab, openLab } from '../support/lab.ts';
import { freshDatabase, testVersions } from '../support/postgres.ts';
import { sharedPostgres } from '../support/shared.ts';
import { CASES, SETUP, type TypeCase } from './type-cases.ts';

/** As the capture functions pin them. */
const PINNED = `SET "TimeZone" = 'UTC'; SET "DateStyle" = 'ISO, YMD'; SET "IntervalStyle" = 'postgres'; SET bytea_output = 'hex';
  SET extra_float_digits = 1; SET lc_monetary = 'C'`;

interface Sample {
  readonly one: TypeCase;
  readonly table: string;
  readonly projection: Projection;
  /** JSON text of each row. */
  readonly rows: readonly string[];
}

const textOf = (one: TypeCase) => `${one.type}${one.override === undefined ? '' : ` as ${one.override}`}`;

describe.each(testVersions())('values of every type, PostgreSQL %s', (version) => {
  let lab: Lab;
  let duck: TypedDuckDb;
  let catalog: Awaited<ReturnType<typeof freshDatabase>>;
  const folder = mkdtempSync(join(tmpdir(), 'sluice-types-'));
  const samples: Sample[] = [];

  beforeAll(async () => {
    lab = await openLab(version);
    duck = await openTyped(['ducklake', 'sqlite_scanner', 'postgres_scanner']);
    catalog = await freshDatabase(sharedPostgres(version));
    await lab.run(`${PINNED}; ${SETUP}`);
    await duck.run(`ATTACH '${join(folder, 'lake.duckdb')}' AS file`);
    const lakes = { sqlite: `sqlite:${join(folder, 'catalog.sqlite')}`, postgres: `postgres:${catalog.url}` };
    for (const [name, place] of Object.entries(lakes)) {
      await duck.run(`ATTACH 'ducklake:${place}' AS ${name} (DATA_PATH '${join(folder, name)}', DATA_INLINING_ROW_LIMIT 1000)`);
    }
    for (const [index, one] of CASES.entries()) samples.push(await sample(one, `t${index}`));
    // One wide table instead of a hundred: each costs a catalog about 0.1 s.
    const ids = '(SELECT unnest(range(0, 40)) AS id)';
    const wide = `SELECT i.id, ${samples.map(({ table }) => `${table}.v AS ${table}`).join(', ')} FROM ${ids} AS i
      ${samples.map(({ table }) => `LEFT JOIN temp.${table} ON ${table}.id = i.id`).join(' ')}`;
    for (const place of ['file', 'sqlite', 'postgres']) {
      await duck.run(`CREATE TABLE ${place}.main.wide AS ${wide} WHERE false`);
      await duck.run(`INSERT INTO ${place}.main.wide ${wide}`);
    }
  });
  afterAll(async () => {
    await duck?.[Symbol.asyncDispose]();
    await catalog?.drop();
    await lab?.[Symbol.asyncDispose]();
    rmSync(folder, { recursive: true });
  });

  async function sample(one: TypeCase, table: string): Promise<Sample> {
    const values = one.values.map((value, index) => `(${index + 1}, '${value.replaceAll("'", "''")}'::${one.type})`);
    const rows = await lab.sql.begin(async (sql) => {
      await sql.unsafe(`${PINNED}; CREATE TABLE ${table} (id int, v ${one.type}, after text); INSERT INTO ${table} VALUES ${values.join(', ')};
        INSERT INTO ${table} VALUES (0, NULL)`);
      return sql.unsafe<{ data: string }[]>(`SELECT row_to_json(t)::text AS data FROM ${table} t ORDER BY id`);
    });
    const [columns] = await lab.sql`SELECT audit.column_types(${table}::regclass) AS columns`;
    const projection = projectTable(parseSourceColumns(columns?.columns), one.override === undefined ? {} : { v: one.override });
    await duck.stage(rows.map(({ data }) => data));
    const strict = `CREATE OR REPLACE TEMP TABLE ${table} AS FROM (${projection.strict('temp.stage')}) WHERE _seq IS NOT NULL`;
    await duck.run(strict);
    const thorough = projection.thorough('temp.stage');
    expect(await duck.rows(`FROM temp.${table} EXCEPT ${thorough}`), `${textOf(one)}: both ways agree`).toEqual([]);
    const left = `SELECT cdc_seq FROM temp.stage WHERE cdc_seq NOT IN (SELECT _seq FROM temp.${table})`;
    const leftOut = (await duck.rows(`${left} ORDER BY 1`)).map(({ cdc_seq }) => Number(cdc_seq) - 2);
    expect(leftOut, textOf(one)).toEqual(expect.arrayContaining([...(one.lost ?? [])]));
    await duck.run(`INSERT INTO temp.${table} ${projection.thorough(`(FROM temp.stage WHERE cdc_seq IN (${left}))`)}`);
    expect(await duck.rows(`SELECT * FROM (${projection.losses('temp.stage')}) ORDER BY cdc_seq`), textOf(one)).toEqual(
      (one.lost ?? []).map((index) => expect.objectContaining({ cdc_seq: index + 2, column_name: 'v' })),
    );
    return { one, table, projection, rows: rows.map(({ data }) => data) };
  }

  /** What differs between a table of the lake and the source: the source is asked whether the lake's text is its own value. */
  async function differences(place: string, parquet = false): Promise<string[]> {
    const wrong: string[] = [];
    const types = new Map((await duck.rows(`DESCRIBE ${place}.main.wide`)).map((row) => [row.column_name, String(row.column_type)]));
    const texts = samples.map(({ table }) => `${lakeText(types.get(table) ?? '', table)} AS ${table}`);
    const lake = await duck.rows(`SELECT id, ${texts.join(', ')} FROM ${place}.main.wide ORDER BY id`);
    expect(lake.length).toBe(40);
    for (const { one, table } of samples) {
      if (types.get(table) !== one.lake) wrong.push(`${textOf(one)}: is ${types.get(table)}`);
      const source = await sourceTexts(
        table,
        one,
        lake.map((row) => row[table] as string | null),
        parquet,
      );
      for (const [index, expected] of source.entries()) {
        const text = lake[index]?.[table];
        if (index === 0 || one.lost?.includes(index - 1) ? text !== null : !expected.same)
          wrong.push(`${textOf(one)}: ${expected.text} became ${text}`);
      }
      if (source.length !== one.values.length + 1) wrong.push(`${textOf(one)}: ${source.length} rows`);
    }
    return wrong;
  }

  async function sourceTexts(
    table: string,
    one: TypeCase,
    texts: (string | null)[],
    parquet: boolean,
  ): Promise<{ text: string; same: boolean }[]> {
    return lab.sql.begin(async (sql) => {
      await sql.unsafe(PINNED);
      return sql.unsafe<{ text: string; same: boolean }[]>(
        `SELECT t.v::text AS text, CASE WHEN x.text IS NULL THEN coalesce(t.v::text, 'null') = 'null' ELSE ${same(one, parquet)} END AS same
         FROM ${table} t JOIN unnest($1::int[], $2::text[]) x (id, text) USING (id) ORDER BY id`,
        [texts.map((_, index) => index), texts] as never[],
      );
    });
  }

  it('in a DuckDB file', async () => {
    expect(await differences('file')).toEqual([]);
  });

  it.each(['sqlite', 'postgres'])('in a DuckLake with a catalog in %s, inlined, then flushed', async (lake) => {
    const files = async () =>
      Number((await duck.rows('SELECT count(*) AS n FROM glob($pattern)', { pattern: join(folder, lake, '**/*.parquet') }))[0]?.n);
    expect(await files()).toBe(0);
    expect(await differences(lake)).toEqual([]);
    await duck.run(`CALL ducklake_flush_inlined_data('${lake}')`);
    expect(await files()).toBe(1);
    expect(await differences(lake, true)).toEqual([]);
  });
});

/** A value of the lake as text that PostgreSQL reads. */
function lakeText(type: string, value = 'v'): string {
  if (type.endsWith('[]')) return `to_json(list_transform(${value}, lambda x: ${lakeText(type.slice(0, -2), 'x')}))::VARCHAR`;
  if (type === 'BLOB') return `'\\x' || lower(hex(${value}))`;
  if (/^(DATE|TIMESTAMP)/.test(type)) return `regexp_replace(CAST(${value} AS VARCHAR), '^(.*) \\(BC\\)(.*)$', '\\1\\2 BC')`;
  return `CAST(${value} AS VARCHAR)`;
}

/** SQL: the lake's value, converted back, is the source's, both as text. */
function same({ type, lake, override }: TypeCase, parquet: boolean): string {
  if (/^jsonb?$|^doc$/.test(type)) return 't.v::text = x.text';
  if (lake === 'JSON' || (override === 'varchar' && type.endsWith('[]'))) return 'to_json(t.v)::text = x.text';
  // Equal, but a zero may have lost its sign.
  const floats = parquet && /^(real|double)/.test(type);
  if (floats && !lake.endsWith('[]')) return `t.v = x.text::${type}`;
  if (lake.endsWith('[]')) {
    const array = { int2vector: 'int2[]', ints: 'int[]' }[type] ?? (override === undefined ? type : 'numeric[]');
    const elements = `coalesce((SELECT array_agg(e ORDER BY n) FROM json_array_elements_text(x.text::json) WITH ORDINALITY j (e, n)), '{}')`;
    // As text without lower bounds, which are not captured.
    return override === undefined && !floats
      ? `array_to_json(t.v)::text = array_to_json(${elements}::${array})::text`
      : `t.v = ${elements}::${array}`;
  }
  // Equal but for trailing zeros.
  if (override?.startsWith('decimal')) return 't.v = x.text::numeric';
  // Not t.v::text, which strips the blanks of char(n).
  if (lake === 'VARCHAR') return "to_json(t.v) #>> '{}' = x.text";
  return `t.v::text = x.text${type === 'money' ? '::numeric' : ''}::${type}::text`;
}
