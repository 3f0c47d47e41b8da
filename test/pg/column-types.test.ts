import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parseSourceColumns } from '../../src/model/source-type.ts';
import { mapType } from '../../src/model/types.ts';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';

describe.each(testVersions())('audit.column_types, PostgreSQL %s', (version) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(version);
  });
  afterAll(() => lab?.[Symbol.asyncDispose]());

  const columns = async (table: string) => {
    const [row] = await lab.sql`SELECT audit.column_types(${table}::regclass) AS columns`;
    return parseSourceColumns(row?.columns);
  };

  it('follows domains and arrays to what is below, leaves out dropped columns', async () => {
    await lab.run(`
      CREATE DOMAIN cents AS numeric(12,2); CREATE DOMAIN money2 AS cents; CREATE DOMAIN many AS money2[]; CREATE DOMAIN grid AS int[][]; CREATE TYPE pair AS (a int, b money2);
      CREATE TABLE t (gone int, a money2, b money2[], c many, d many[], e pair, f text[][], i grid, "G" varchar(7), h int4multirange);
      ALTER TABLE t DROP COLUMN gone`);
    const cents = { kind: 'b', name: 'numeric', text: 'numeric(12,2)', schema: 'pg_catalog' };
    expect(await columns('t')).toEqual([
      { attnum: 2, name: 'a', type: { ...cents, domain: 'public.money2' } },
      {
        attnum: 3,
        name: 'b',
        type: { kind: 'b', name: '_money2', text: 'public.money2[]', schema: 'public', element: cents, dimensions: 1 },
      },
      {
        attnum: 4,
        name: 'c',
        type: {
          kind: 'b',
          name: '_money2',
          text: 'public.money2[]',
          schema: 'public',
          element: cents,
          dimensions: 1,
          domain: 'public.many',
        },
      },
      {
        attnum: 5,
        name: 'd',
        type: expect.objectContaining({ element: expect.objectContaining({ name: '_money2', element: cents }), dimensions: 1 }),
      },
      { attnum: 6, name: 'e', type: { kind: 'c', name: 'pair', text: 'public.pair', schema: 'public' } },
      { attnum: 7, name: 'f', type: expect.objectContaining({ name: '_text', dimensions: 2 }) },
      { attnum: 8, name: 'i', type: expect.objectContaining({ name: '_int4', dimensions: 2 }) },
      { attnum: 9, name: 'G', type: { kind: 'b', name: 'varchar', text: 'character varying(7)', schema: 'pg_catalog' } },
      { attnum: 10, name: 'h', type: { kind: 'm', name: 'int4multirange', text: 'int4multirange', schema: 'pg_catalog' } },
    ]);
  });

  it('says where a type of an extension is captured by its own cast to json', async () => {
    const [there] = await lab.sql`SELECT count(*)::int AS n FROM pg_available_extensions WHERE name IN ('hstore', 'citext')`;
    if (there?.n !== 2) return;
    await lab.run('CREATE EXTENSION hstore; CREATE EXTENSION citext; CREATE TABLE x (h hstore, c citext, cs citext[])');
    expect((await columns('x')).map(({ type }) => mapType(type).lakeType)).toEqual(['JSON', 'VARCHAR', 'VARCHAR[]']);
  });

  it('is an empty list for a table without columns', async () => {
    await lab.run('CREATE TABLE none ()');
    expect(await columns('none')).toEqual([]);
  });

  it('is quick', async () => {
    await lab.run(
      `CREATE TABLE wide (${Array.from({ length: 1600 }, (_, index) => `c${index} ${index % 2 ? 'int' : 'numeric(12,2)'}`).join(', ')})`,
    );
    const begin = performance.now();
    expect(await columns('wide')).toHaveLength(1600);
    // About 10 ms; a function call per column takes 100.
    expect(performance.now() - begin).toBeLessThan(1000);
  });
});
