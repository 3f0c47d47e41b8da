import { randomBytes } from 'node:crypto';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { pipeline } from 'node:stream/promises';
import { expect, test } from 'vitest';
import { connect, type Sql } from '../../src/source/index.ts';
import { type Deployment, deploy, LAKES } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';
import { until } from '../support/until.ts';

/** A value as text, number and bytes, in every form in which it could be written somewhere. Random, so that nothing else looks like it. */
class Marker {
  readonly text = `zq${randomBytes(8).toString('hex')}`;
  /** 18 digits, which no double holds. */
  readonly number = 10n ** 17n + (randomBytes(8).readBigUInt64LE() % (8n * 10n ** 17n));
  readonly bytes = randomBytes(12);
  readonly #forms: Record<string, readonly Buffer[]>;

  constructor() {
    const little = Buffer.alloc(8);
    little.writeBigInt64LE(this.number);
    const hex = this.bytes.toString('hex');
    // As DuckDB prints a BLOB.
    const escaped = [...this.bytes].map((byte) => `\\x${byte.toString(16).toUpperCase().padStart(2, '0')}`).join('');
    const forms = (...texts: string[]) => texts.map((text) => Buffer.from(text));
    this.#forms = {
      text: forms(
        this.text,
        this.text.toUpperCase(),
        Buffer.from(this.text).toString('hex'),
        Buffer.from(this.text).toString('base64').slice(0, 20),
      ),
      number: [...forms(String(this.number)), little, Buffer.from(little).reverse()],
      bytes: [...forms(hex, hex.toUpperCase(), this.bytes.toString('base64'), escaped, JSON.stringify(escaped).slice(1, -1)), this.bytes],
    };
  }

  /** Which of text, number and bytes it is found as. */
  in(content: Buffer | string): string[] {
    const buffer = typeof content === 'string' ? Buffer.from(content) : content;
    return Object.keys(this.#forms).filter((kind) => this.#forms[kind]?.some((form) => buffer.includes(form)));
  }
}

const RULES = `exclude: [x, n, b, j, a], mask: { h: hash, c: constant, z: "null", l: keep-last-2, hn: hash, hb: constant }`;
/** Some that are kept, and one of each kind that is not. */
const COLUMNS =
  'kept text, kn bigint, kb bytea, x text DEFAULT $x$none$x$, n bigint, b bytea, j jsonb, a text[], h text, c text, z text, l text, hn bigint, hb bytea';
const NAMES = COLUMNS.split(', ').map((column) => column.split(' ')[0]);
const SCHEMA = `
  CREATE TABLE plain (id int PRIMARY KEY, ${COLUMNS}, CHECK (id < 9000));
  CREATE TABLE part (id int PRIMARY KEY, ${COLUMNS}) PARTITION BY RANGE (id);
  CREATE TABLE part_0 PARTITION OF part FOR VALUES FROM (MINVALUE) TO (10);
  CREATE TABLE part_1 PARTITION OF part DEFAULT;
  CREATE TABLE no_key (id int, ${COLUMNS});
  CREATE FUNCTION again() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
    IF pg_trigger_depth() < 2 THEN EXECUTE format('UPDATE %I SET l = l WHERE id %% 5 = 0', TG_ARGV[0]); END IF; RETURN NULL; END $$;
  CREATE TRIGGER again AFTER UPDATE ON part FOR EACH ROW EXECUTE FUNCTION again('part')`;

/** Everything that can be done with a row whose excluded columns hold the marker. */
async function write(sql: Sql, table: string, { text, number, bytes }: Marker, kept: Marker): Promise<void> {
  const bytea = `'\\x${bytes.toString('hex')}'::bytea`;
  const secret = (
    times = 1,
  ) => `repeat('${text}', ${times}), ${number}, ${bytea}, jsonb_build_object('${text}', ${number}), ARRAY['${text}', NULL],
    '${text}', '${text}', '${text}', '${text}-1', ${number}, ${bytea}`;
  const keeps = `'${kept.text}', ${kept.number}, '\\x${kept.bytes.toString('hex')}'::bytea`;
  const row = (id: string, times?: number) => `${id}, ${keeps}, ${secret(times)}`;
  const set = `x = '${text}!', n = ${number} + 0, b = ${bytea} || b, j = '["${text}"]', a = a || '${text}'::text, h = '${text}?', z = x, l = '${text}', hn = ${number}`;
  const into = `${table} (id, ${NAMES.join(', ')})`;
  const statements = [
    `INSERT INTO ${into} SELECT ${row('i')} FROM generate_series(1, 30) i`,
    `INSERT INTO ${into} SELECT ${row('100')}`,
    `UPDATE ${table} SET ${set} WHERE id < 10`,
    `UPDATE ${table} SET ${set}`,
    `UPDATE ${table} SET id = id + 200, ${set} WHERE id % 2 = 0`,
    // Large: in TOAST, changed and left as it was.
    `INSERT INTO ${into} SELECT ${row('5000', 60_000)}`,
    `UPDATE ${table} SET kept = kept || '.' WHERE id = 5000`,
    `UPDATE ${table} SET x = x || 'y' WHERE id = 5000`,
    // Failed, caught and rolled back.
    `INSERT INTO ${into} SELECT ${row('1')} FROM generate_series(1, 2) WHERE 1 / (random() * 0)::int > 0`,
    `DO $d$ BEGIN INSERT INTO ${into} SELECT ${row('400')}; PERFORM '${text}'::int; EXCEPTION WHEN OTHERS THEN NULL; END $d$`,
    `BEGIN; INSERT INTO ${into} SELECT ${row('401')}; ROLLBACK`,
    `UPDATE plain SET id = 9000 + id, x = '${text}'`,
    `WITH d AS (DELETE FROM ${table} WHERE id BETWEEN 3 AND 9 RETURNING *) INSERT INTO ${table} SELECT * FROM d`,
    ...(table === 'no_key'
      ? []
      : [`INSERT INTO ${into} SELECT ${row('1')} ON CONFLICT (id) DO UPDATE SET x = excluded.x || 'u', h = excluded.x`]),
    `MERGE INTO ${table} USING (VALUES (11), (500)) s (i) ON id = i WHEN MATCHED THEN UPDATE SET ${set} WHEN NOT MATCHED THEN INSERT (id, ${NAMES.join(', ')}) VALUES (s.i, ${keeps}, ${secret()})`,
    // The column goes and comes again, filled without an UPDATE; its name is exchanged with another.
    `ALTER TABLE ${table} RENAME COLUMN x TO y; UPDATE ${table} SET y = '${text}'; ALTER TABLE ${table} RENAME COLUMN y TO x`,
    `ALTER TABLE ${table} DROP COLUMN j; ALTER TABLE ${table} ADD COLUMN j jsonb DEFAULT '"${text}"'; UPDATE ${table} SET kept = kept`,
    `ALTER TABLE ${table} ALTER COLUMN n TYPE numeric; UPDATE ${table} SET n = ${number}.5`,
    `DELETE FROM ${table} WHERE id % 3 = 0`,
    `TRUNCATE ${table}`,
  ];
  for (const statement of statements) {
    await sql
      .unsafe(statement)
      .catch((error) => expect(error.code, `${statement.slice(0, 200)}: ${error.message}`).toMatch(/^(22012|23514)$/));
  }
  const columns = NAMES.filter((name) => name !== 'j').join(', ');
  const values = [
    kept.text,
    kept.number,
    `\\\\x${kept.bytes.toString('hex')}`,
    text,
    number,
    `\\\\x${bytes.toString('hex')}`,
    `{${text}}`,
    text,
    text,
    text,
    `${text}12`,
    number,
    `\\\\x${bytes.toString('hex')}`,
  ];
  const lines = Array.from({ length: 40 }, (_, id) => `${[id, ...values].join('\t')}\n`);
  await pipeline(lines, await sql.unsafe(`COPY ${table} (id, ${columns}) FROM STDIN`).writable());
}

/** Every row of the tables of a database, as text, schema by schema: `which` is a condition on pg_namespace n. */
async function allTexts(sql: Sql, which: string): Promise<[string, string][]> {
  const tables = await sql.unsafe<
    { name: string }[]
  >(`SELECT c.oid::regclass::text AS name FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relkind = 'r' AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND ${which}`);
  return Promise.all(
    tables.map(async ({ name }): Promise<[string, string]> => {
      const rows = await sql.unsafe<{ text: string }[]>(`SELECT t::text AS text FROM ${name} t`);
      return [name, rows.map(({ text }) => text).join('\n')];
    }),
  );
}

const bufferTexts = (sql: Sql) => allTexts(sql, `n.nspname = 'audit'`);

/** Files below a folder, by path. Pipes are none. */
function files(folder: string): string[] {
  if (!existsSync(folder)) return [];
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    return entry.isDirectory() ? files(path) : entry.isFile() ? [path] : [];
  });
}

function* filesOf(folder: string): Generator<readonly [string, Buffer]> {
  for (const file of files(folder)) if (existsSync(file)) yield [file, readFileSync(file)];
}

/** The lake as it is asked for: all tables and views, and the Parquet files themselves, also those that no table uses any more. */
function lakeTexts(lake: Deployment): Promise<[string, string][]> {
  return lake.reading(async (query) => {
    const relations = await query(`SELECT format('"{}"."{}"', schema, name) AS name FROM (SHOW ALL TABLES) WHERE database = 'lake'`);
    const parquet = files(lake.folder).filter((file) => file.endsWith('.parquet'));
    const sources = [...relations.map(({ name }) => String(name)), ...parquet.map((file) => `read_parquet('${file}')`)];
    const found: [string, string][] = [];
    for (const source of sources) found.push([source, JSON.stringify(await query(`SELECT t::VARCHAR AS text FROM ${source} AS t`))]);
    return found;
  });
}

test.each(LAKES)('an excluded or masked value is searched for everywhere and found nowhere, %s', { timeout: 400_000 }, async (kind) => {
  await using lake = await deploy(sharedPostgres(), { kind });
  const { sql } = lake;
  const session = connect({ url: lake.url, applicationName: 'application', max: 1 });
  const [secret, kept] = [new Marker(), new Marker()];
  const found: string[] = [];
  const controls = new Set<string>();
  const search = (place: string, texts: Iterable<readonly [string, string | Buffer]>) => {
    for (const [name, content] of texts) {
      for (const kind of secret.in(content)) found.push(`${place}: ${kind} in ${name}`);
      for (const kind of kept.in(content)) controls.add(`${place}: ${kind}`);
    }
  };
  const commands: string[] = [];
  const run = async (...args: string[]) => {
    const { code, stdout, log } = await lake.run(...args);
    expect(code, log).toBeLessThan(2);
    commands.push(stdout, log);
  };

  await sql.unsafe(SCHEMA);
  const tables = ['plain', 'part', 'no_key'];
  await lake.configure({
    more: `tables: [${tables.map((name) => `{ table: public.${name}, ${RULES} }`).join(', ')}]\ntemp_directory: ./temporary\nlog: { level: trace }\n`,
  });
  await lake.ok('install');
  await run('track');
  for (const table of tables) await write(session, table, secret, kept);
  search('buffer', await bufferTexts(sql));

  const daemon = lake.start(['run']);
  const watch = setInterval(() => search('temporary files', filesOf(join(lake.folder, 'temporary'))), 50);
  try {
    for (const table of tables) {
      await sql.unsafe(`TRUNCATE ${table}`);
      await write(session, table, secret, kept);
    }
    await until('the buffer is empty', async () => (await sql`SELECT FROM audit.cdc`).length === 0);
  } finally {
    clearInterval(watch);
    daemon.process.kill('SIGTERM');
  }
  const { log } = await daemon.ended;
  commands.push(log);
  await sql.unsafe(`INSERT INTO plain (id, kept, x, h) VALUES (8999, '${kept.text}', '${secret.text}', '${secret.text}')`);
  await run('run', '--once');
  for (const mode of ['full', 'verify', 'reset']) {
    await sql`SELECT audit.request_load(table_id, ${mode}) FROM audit.tracked_table`;
    await run('run', '--once');
    search(`lake after ${mode}`, await lakeTexts(lake));
  }
  const [loaded] = await lake.ok<{ n: number }[]>('query', "SELECT count(*) AS n FROM public_changes.plain WHERE _op = 'R'");
  expect(loaded?.n).toBeGreaterThan(30);
  await run('status');
  await run('doctor');
  await run('rebuild', 'public.plain');

  search('schema audit', await bufferTexts(sql));
  search(
    'logs',
    commands.map((text, at) => [`output ${at}`, text] as const),
  );
  search('lake', await lakeTexts(lake));
  search('files', filesOf(lake.folder));
  if (lake.catalogUrl) {
    const catalog = connect({ url: lake.catalogUrl, applicationName: 'test', max: 1 });
    search('catalog', await allTexts(catalog, 'true'));
    await catalog.end();
  }
  await session.end();
  expect(found).toEqual([]);
  // What is not excluded is found in these places: so the search sees them. Not all of it in files, where it may be compressed.
  const places = kind === 'DuckDB file' ? ['buffer', 'lake'] : ['buffer', 'lake', 'catalog'];
  expect([...controls]).toEqual(
    expect.arrayContaining(places.flatMap((place) => ['text', 'number', 'bytes'].map((form) => `${place}: ${form}`))),
  );
  expect([...controls]).toContain('files: text');
});
