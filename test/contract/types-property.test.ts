import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { type Projection, projectTable } from '../../src/lake/projection.ts';
import { ident } from '../../src/lake/sql.ts';
import { parseSourceColumns } from '../../src/model/source-type.ts';
import { openTyped, type TypedDuckDb } from '../lake/typed.ts';
import { type Lab, openLab } from '../support/lab.ts';

const digits = (min: number, max: number) => fc.string({ unit: fc.constantFrom(...'00012345678999'), minLength: min, maxLength: max });
const decimal = (whole: number, fraction: number) =>
  fc
    .tuple(fc.constantFrom('', '-'), digits(1, whole), digits(0, fraction))
    .map(([sign, before, after]) => `${sign}${before}${after === '' ? '' : `.${after}`}`);
const numeric = fc.oneof(decimal(6, 3), decimal(25, 25), fc.constantFrom('NaN', 'Infinity', '1e-20', '1e30', '0.00', '-0.0'));
/** Texts made of what could be taken for the row's own keys. */
const nasty = fc.string({ unit: fc.constantFrom('"', '\\', ',', ':', '{', '}', '[', ']', ' ', 'n', 'd', '1', '.5', ',"n":', '"d":', '\n', '🦆', 'é', '\u007f', "'"), maxLength: 12 }); // biome-ignore format: long
const document: fc.Arbitrary<string> = fc.letrec<{ any: string }>((tie) => ({
  any: fc.oneof(
    { depthSize: 'small' },
    decimal(12, 12).map((text) => text.replace(/^(-?)0+(?=\d)/, '$1')),
    nasty.map((text) => JSON.stringify(text)),
    fc.constantFrom('null', 'true', '{}', '[]', '1.50', '-0', '1e400', '12345678901234567890.12345678901234567890'),
    fc.array(tie('any'), { maxLength: 4 }).map((all) => `[${all.join(',')}]`),
    fc
      .array(fc.tuple(fc.oneof(nasty, fc.constantFrom('n', 'd', 'N', 't')), tie('any')), { maxLength: 4 })
      .map((all) => `{${all.map(([key, value]) => `${JSON.stringify(key)}:${value}`).join(',')}}`),
  ),
})).any;
const list = (element: fc.Arbitrary<string>) =>
  fc.array(fc.oneof({ weight: 4, arbitrary: element.map((text) => `"${text.replace(/["\\]/g, '\\$&')}"`) }, fc.constant('NULL')), { maxLength: 4 }).map((all) => `{${all.join(',')}}`); // biome-ignore format: long

const double = (any: fc.Arbitrary<number>) =>
  fc.oneof(
    { weight: 4, arbitrary: any.map((value) => (Object.is(value, -0) ? '-0' : String(value))) },
    fc.constantFrom('-0', 'NaN', '-Infinity'),
  );

/** Types by their SQL, each with literals, and what the source says of the lake's value `x.text`. */
const TYPES: Readonly<Record<string, fc.Arbitrary<string>>> = {
  numeric,
  'numeric(38,18)': decimal(20, 18),
  'numeric(12,2)': decimal(9, 2),
  'numeric(14,9)': decimal(5, 9),
  jsonb: document,
  json: fc.tuple(fc.constantFrom('', ' ', '\n'), document, fc.constantFrom('', ' ')).map((parts) => parts.join('')),
  text: nasty,
  'double precision': double(fc.double()),
  real: double(fc.float()),
  'numeric[]': list(numeric),
  'text[]': list(nasty),
  'double precision[]': list(double(fc.double())),
};

/** Names that might be taken for something else, some alike but for their case. */
const NAMES = ['n', 'd', 'N', 'D', 't', '"n"', ',"n":', '{', ' x', 'back\\slash', 'at', 'select', 'Größe', '🦆'.repeat(15), '1.5', 'cdc_seq', 'data', 'j', 's', 'r', 'row_id', '_op', 'begin1', '__proto__', 'a.*b', 'tab\t']; // biome-ignore format: long

interface Table {
  readonly columns: readonly { readonly name: string; readonly type: string }[];
  readonly rows: readonly (readonly (string | null)[])[];
}

const table = (types: readonly string[]): fc.Arbitrary<Table> =>
  fc
    .uniqueArray(fc.record({ name: fc.oneof(fc.constantFrom('n', 'd', 't'), fc.constantFrom(...NAMES)), type: fc.constantFrom(...types) }), { selector: ({ name }) => name, minLength: 1, maxLength: 7 }) // biome-ignore format: long
    .chain((columns) =>
      fc.record({
        columns: fc.constant(columns),
        rows: fc.array(fc.tuple(...columns.map(({ type }) => fc.option(TYPES[type] ?? fc.constant('')))), { minLength: 1, maxLength: 30 }),
      }),
    );

describe('the typed columns are the source, whatever is in them', () => {
  let lab: Lab;
  let duck: TypedDuckDb;
  beforeAll(async () => {
    lab = await openLab(18);
    duck = await openTyped();
  });
  afterAll(async () => {
    await duck?.[Symbol.asyncDispose]();
    await lab?.[Symbol.asyncDispose]();
  });

  async function load(setup: string): Promise<{ projection: Projection; texts: string[] }> {
    await lab.run(`DROP TABLE IF EXISTS p; ${setup}`);
    const rows = await lab.sql.unsafe<{ data: string }[]>('SELECT row_to_json(p)::text AS data FROM p ORDER BY ctid');
    const [described] = await lab.sql`SELECT audit.column_types('p'::regclass) AS columns`;
    const texts = rows.map(({ data }) => data);
    await duck.stage(texts);
    return { projection: projectTable(parseSourceColumns(described?.columns)), texts };
  }

  async function check({ columns, rows }: Table): Promise<void> {
    const literalOf = (value: string | null, type: string) =>
      `${value === null ? 'NULL' : `E'${value.replace(/['\\]/g, '\\$&')}'`}::${type}`;
    const { projection } = await load(`CREATE TABLE p (${columns.map(({ name, type }) => `${ident(name)} ${type}`).join(', ')});
      INSERT INTO p VALUES ${rows.map((row) => `(${row.map((value, index) => literalOf(value, columns[index]?.type ?? '')).join(', ')})`).join(', ')}`);
    for (const way of ['strict', 'thorough'] as const) {
      await duck.run(`CREATE OR REPLACE TEMP TABLE typed AS ${projection[way]('temp.stage')}`);
      for (const [index, { name, type }] of columns.entries()) {
        const lake = ident(projection.columns[index]?.name ?? '');
        const text = type.endsWith('[]') ? `to_json(list_transform(${lake}, lambda x: CAST(x AS VARCHAR)))` : lake;
        const held = (await duck.rows(`SELECT CAST(${text} AS VARCHAR) AS v FROM typed ORDER BY ${ident(projection.own._seq)}`)).map(
          ({ v }) => v,
        );
        const back = type.endsWith('[]')
          ? `coalesce((SELECT array_agg(e ORDER BY i) FROM json_array_elements_text(x.v::json) WITH ORDINALITY j (e, i)), '{}')::${type}::text`
          : /^(real|double)/.test(type)
            ? `x.v::${type}::text`
            : 'x.v';
        const wrong = await lab.sql.unsafe(
          `SELECT v.v::text AS source, x.v AS lake FROM (SELECT row_number() OVER (ORDER BY ctid) AS n, ${ident(name)} AS v FROM p) v
           JOIN unnest($1::text[]) WITH ORDINALITY x (v, n) USING (n)
           WHERE CASE WHEN x.v IS NULL THEN coalesce(${type.startsWith('json') ? "btrim(v.v::text, E' \\n')" : 'v.v::text'}, 'null') <> 'null' OR ${type === 'text' ? "v.v = 'null'" : 'false'}
             ELSE v.v::text IS DISTINCT FROM ${back} END`,
          [held] as never[],
        );
        expect([...wrong], `${way}: ${name} ${type}`).toEqual([]);
      }
    }
    expect(await duck.rows(projection.losses('temp.stage'))).toEqual([]);
  }

  it('with jsonb and numerics, which are cut out', async () => {
    const types = Object.keys(TYPES).filter((type) => type !== 'json');
    await fc.assert(fc.asyncProperty(table(types), check), { numRuns: 40 });
  });

  it('with json, for which the scanner is needed', async () => {
    await fc.assert(fc.asyncProperty(table(Object.keys(TYPES)), check), { numRuns: 40 });
  });

  it('reads 1,600 columns, the least and the most of them exact', async () => {
    const names = Array.from({ length: 1600 }, (_, index) => `c${index}`);
    const { projection } = await load(`CREATE TABLE p (${names.map((name) => `${name} numeric`).join(', ')});
      INSERT INTO p (c0, c799, c1599) VALUES (1.50, 12345678901234567890.123456789012345678, 0.10)`);
    for (const way of ['strict', 'thorough'] as const) {
      await duck.run(`CREATE OR REPLACE TEMP TABLE typed AS ${projection[way]('temp.stage')}`);
      expect(await duck.rows('SELECT c0, c1, c799, c1599 FROM typed')).toEqual([
        { c0: '1.50', c1: null, c799: '12345678901234567890.123456789012345678', c1599: '0.10' },
      ]);
    }
    expect(await duck.rows(projection.losses('temp.stage'))).toEqual([]);
  });

  it('of a row with other columns, or in another order, is left out in the strict way and right in the thorough one', async () => {
    const { projection } = await load('CREATE TABLE p (id int, n numeric, d jsonb, t text)');
    for (const [text, expected] of [
      ['{"id":1,"n":2.50,"x":3,"d":{"a": 1.0},"t":"a"}', { id: 1, n: '2.50', d: '{"a": 1.0}', t: 'a' }],
      ['{"id":1,"n":2.50,"d":{"a": 1.0},"x":3,"t":"a"}', { id: 1, n: '2.50', d: '{"a": 1.0}', t: 'a' }],
      ['{"d":{"a": 1.0},"n":2.50,"id":1,"t":"a"}', { id: 1, n: '2.50', d: '{"a": 1.0}', t: 'a' }],
      ['{"id":1,"n":2.50,"t":"a"}', { id: 1, n: '2.50', d: null, t: 'a' }],
    ] as const) {
      await duck.stage([text]);
      expect(await duck.rows(`SELECT _seq FROM (${projection.strict('temp.stage')})`), text).toEqual([{ _seq: null }]);
      expect(await duck.rows(`SELECT id, n, d, t FROM (${projection.thorough('temp.stage')})`)).toEqual([expected]);
      expect(await duck.rows(projection.losses('temp.stage'))).toEqual([]);
    }
  });

  it('of a row too large to capture is counted', async () => {
    const { projection } = await load('CREATE TABLE p (id int, t text, u text)');
    await duck.stage(['{"id":1,"t":null,"u":null,"_sluice_too_large":{"t":300000000}}', null, '{"id":"x","t":"a","u":null}', 'no json']);
    expect(await duck.rows(`SELECT _seq, id, t FROM (${projection.strict('temp.stage')}) WHERE _seq IS NOT NULL`)).toEqual([
      { _seq: 2, id: null, t: null },
    ]);
    expect(await duck.rows(`SELECT _seq, id, t FROM (${projection.thorough('temp.stage')}) ORDER BY _seq`)).toEqual([
      { _seq: 1, id: 1, t: null },
      { _seq: 2, id: null, t: null },
      { _seq: 3, id: null, t: 'a' },
      { _seq: 4, id: null, t: null },
    ]);
    expect(await duck.rows(`FROM (${projection.losses('temp.stage')}) ORDER BY cdc_seq`)).toEqual([
      { cdc_seq: 1, column_name: 't', reason: 'too large to capture' },
      { cdc_seq: 3, column_name: 'id', reason: 'no value of INTEGER' },
      { cdc_seq: 4, column_name: null, reason: 'the row is no JSON' },
    ]);
  });

  it('on several threads, inside a transaction, and the transaction can still be given up', async () => {
    const { projection } = await load('CREATE TABLE p (n bigint, d json)');
    await duck.run('SET threads = 4');
    await duck.run('CREATE TABLE kept AS SELECT 1 AS one');
    await duck.run('BEGIN');
    await duck.run(
      `INSERT INTO temp.stage SELECT i, 1, NULL, 'I', 1, '{"n":' || i || ',"d":{"v":' || i || '.50}}' FROM range(300000) t(i)`,
    );
    await duck.run(`CREATE TABLE typed2 AS ${projection.strict('temp.stage')}`);
    expect(await duck.rows(`SELECT count(*) AS n, count(*) FILTER (d::VARCHAR <> '{"v":' || n || '.50}') AS wrong FROM typed2`)).toEqual([
      { n: 300_000, wrong: 0 },
    ]);
    await duck.run('ROLLBACK');
    expect(await duck.rows('FROM kept')).toEqual([{ one: 1 }]);
  });

  it('of a table without columns is nothing', async () => {
    const { projection } = await load('CREATE TABLE p (); INSERT INTO p DEFAULT VALUES');
    expect(await duck.rows(`SELECT _op FROM (${projection.strict('temp.stage')})`)).toEqual([{ _op: 'I' }]);
    expect(await duck.rows(projection.losses('temp.stage'))).toEqual([]);
  });
});
