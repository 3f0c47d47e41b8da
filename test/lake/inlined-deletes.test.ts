import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { extensionsFor } from '../../src/lake/extensions.ts';
import { makeInlinedDeletes } from '../../src/lake/inlined-deletes.ts';
import { LakeSession } from '../../src/lake/session.ts';
import { freshDatabase } from '../support/postgres.ts';
import { sharedPostgres } from '../support/shared.ts';
import { testEngine } from './support.ts';

for (const metadataSchema of [undefined, 'It\'s a "lake"']) {
  test(`DuckLake finds and fills the tables for inlined deletes that were made for it (schema ${metadataSchema ?? 'by default'})`, async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-inlined-'));
    const catalog = await freshDatabase(sharedPostgres(18));
    const config = { type: 'ducklake' as const, catalog: catalog.url, data: join(folder, 'data'), metadataSchema };
    const engine = await testEngine(extensionsFor(config, 'fifo'));
    const session = new LakeSession(engine, config);
    const sql = postgres(catalog.url, { max: 1, onnotice: () => undefined });
    const made = async () =>
      (await sql`SELECT relname FROM pg_class WHERE relname LIKE 'ducklake\\_inlined\\_delete\\_%' ORDER BY relname`).map(
        ({ relname }) => relname,
      );
    try {
      await session.acquire();
      // Of the anchor and the ledger.
      expect(await made()).toHaveLength(2);
      await session.use('testing', async (lake) => {
        await lake.run('CREATE SCHEMA lake."a \\ b"');
        await lake.run('CREATE TABLE lake."a \\ b"."t\'s" AS SELECT range AS id FROM range(1000)');
        const tables = [{ schema: 'a \\ b', name: "t's" }];
        await makeInlinedDeletes(lake, config, tables, engine.log);
        const names = await made();
        expect(names).toHaveLength(3);
        await makeInlinedDeletes(lake, config, tables, engine.log);
        expect(await made()).toEqual(names);
        await lake.run('DELETE FROM lake."a \\ b"."t\'s" WHERE id IN (3, 5)');
        expect(await lake.rows('SELECT count(*) AS n FROM lake."a \\ b"."t\'s"')).toEqual([{ n: 998 }]);
        const schema = sql(metadataSchema ?? 'public');
        const counts = await Promise.all(names.map((name) => sql<{ n: number }[]>`SELECT count(*)::int AS n FROM ${schema}.${sql(name)}`));
        expect(counts.map(([row]) => row?.n).sort()).toEqual([0, 0, 2]);
      });
    } finally {
      await sql.end();
      await engine.close();
      await catalog.drop();
      await rm(folder, { recursive: true, force: true });
    }
  });
}

test('where they can not be made, all goes on', async () => {
  const engine = await testEngine([]);
  try {
    const config = { type: 'ducklake' as const, catalog: 'postgres://nobody', data: '/nowhere' };
    await makeInlinedDeletes(engine, config, [{ schema: 'a', name: 'b' }], engine.log);
  } finally {
    await engine.close();
  }
});
