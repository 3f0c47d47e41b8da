import { link, mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { attachStatement } from '../../src/lake/config.ts';
import type { Engine } from '../../src/lake/engine.ts';
import { extensionsFor } from '../../src/lake/extensions.ts';
import { testEngine } from './support.ts';

/** What loads rely on: a file that is made known to DuckLake, under two names, is read as rows that were inserted, and is left out by the same filters. */
const VALUES: Readonly<Record<string, readonly string[]>> = {
  BOOLEAN: ['true', 'false', 'NULL'],
  SMALLINT: ["'-32768'", '0', '32767'],
  INTEGER: ["'-2147483648'", '5', 'NULL'],
  BIGINT: ["'-9223372036854775808'", '9223372036854775807', '0'],
  UBIGINT: ['0', '18446744073709551615', 'NULL'],
  FLOAT: ["'NaN'", '0', '1'],
  DOUBLE: ["'NaN'", '0', '1', "'-inf'", "'inf'", "'-0.0'"],
  'DECIMAL(12,2)': ["'-1.5'", "'9999999999.99'", 'NULL'],
  'DECIMAL(38,10)': ["'-1.5'", "'9999999999999999999999999999.0000000001'", 'NULL'],
  VARCHAR: ["'a'", "''", "'zz'", "repeat('x', 5000)", "'ÿ'", "'日本'", 'NULL'],
  BLOB: [String.raw`'\xFF\x00'`, "''", "'a'"],
  UUID: ["'00000000-0000-0000-0000-000000000000'", "'ffffffff-ffff-ffff-ffff-ffffffffffff'", "'80000000-0000-0000-0000-000000000000'"],
  DATE: ["'infinity'", "'-infinity'", "'2020-01-01'", "'0044-03-15 (BC)'"],
  TIME: ["'00:00:00'", "'24:00:00'", "'12:34:56.789012'"],
  TIMESTAMP: ["'infinity'", "'-infinity'", "'2020-01-01'", "'0044-03-15 (BC) 01:02:03'"],
  TIMESTAMPTZ: ["'infinity'", "'-infinity'", "'2020-01-01 00:00:00+00'", "'290000-01-01 00:00:00+00'"],
  JSON: ['\'{"a":1}\'', "'null'", "'[]'"],
  'INTEGER[]': ['[1, NULL]', '[]', 'NULL'],
  'STRUCT(a INTEGER, b VARCHAR)': ["{a: 1, b: 'x'}", '{a: NULL, b: NULL}', 'NULL'],
};

let folder: string;
let engine: Engine;
beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-files-'));
  const config = { type: 'ducklake' as const, catalog: `sqlite:${join(folder, 'catalog.sqlite')}`, data: join(folder, 'data') };
  await mkdir(config.data);
  engine = await testEngine(extensionsFor(config, 'fifo'), { threads: 1 });
  await engine.run(attachStatement(config, 'write'));
});
afterAll(async () => {
  await engine?.close();
  await rm(folder, { recursive: true, force: true });
});

test.each(Object.entries(VALUES).map(([type, values], index) => ({ type, values, index })))('$type', async ({ type, values, index }) => {
  const tables = ['added', 'linked', 'inserted'].map((name) => `lake.main.${name}_${index}`);
  for (const table of tables) await engine.run(`CREATE TABLE ${table} (v ${type}, w INTEGER)`);
  for (const [at, value] of values.entries()) {
    const rows = [value, values[(at + 1) % values.length]].map((one, beside) => `(${one}::${type}, ${at * 2 + beside})`);
    const select = `SELECT * FROM (VALUES ${rows.join(', ')}) AS r (v, w)`;
    await engine.run(`INSERT INTO lake.main.inserted_${index} ${select}`);
    const files = await Promise.all(
      ['added', 'linked'].map(async (name) => {
        const group = join(folder, 'data', 'main', `${name}_${index}`, `group-${at}`);
        await mkdir(group, { recursive: true });
        return { name: `${name}_${index}`, group, file: join(group, 'rows.parquet') };
      }),
    );
    const [added, linked] = files as [(typeof files)[0], (typeof files)[0]];
    await engine.run(`COPY (SELECT *, 'R' AS extra FROM (${select})) TO '${added.file}' (FORMAT parquet)`);
    await link(added.file, linked.file);
    for (const { name, group } of files) {
      await engine.run(
        `CALL ducklake_add_data_files('lake', '${name}', '${group}/*.parquet', ignore_extra_columns => true, allow_missing => true)`,
      );
    }
  }
  await engine.run("CALL ducklake_flush_inlined_data('lake')");
  const seen = () =>
    Promise.all(
      tables.map(async (table) => {
        const all = await engine.rows(`SELECT v::VARCHAR AS v, typeof(v) AS type, w FROM ${table} ORDER BY w`);
        const found = [];
        for (const value of values)
          for (const operator of ['=', '<', '>', '<=', '>=', '<>', 'IS NOT DISTINCT FROM']) {
            found.push(await engine.rows(`SELECT list(w ORDER BY w)::VARCHAR AS rows FROM ${table} WHERE v ${operator} ${value}::${type}`));
          }
        return { all, found };
      }),
    );
  const [added, linked, inserted] = await seen();
  expect(added).toEqual(inserted);
  expect(linked).toEqual(inserted);
});
