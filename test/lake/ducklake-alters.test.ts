import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { testEngine } from './support.ts';

/** Why src/lake/ddl.ts never does this. Should it pass one day, DuckLake is mended and the rule can go. */
test('DuckLake 1.5.5: several ALTERs of a table beside changes of its rows in one transaction make the catalog unreadable for ever', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-alters-'));
  const engine = await testEngine(['ducklake', 'sqlite_scanner'], { threads: 1 });
  try {
    const run = async (...statements: string[]) => {
      for (const sql of statements) await engine.run(sql);
    };
    const table = 'lake.p.item';
    const rows = (batch: number, count: number) =>
      `INSERT INTO ${table} SELECT 'I', i, ${batch}, i, 'x'`.concat(batch > 1 ? ', 7' : '', ` FROM range(${count}) t(i)`);
    await run(
      `ATTACH 'ducklake:sqlite:${join(folder, 'catalog.sqlite')}' AS lake (DATA_PATH '${join(folder, 'data')}')`,
      'CREATE SCHEMA lake.p',
      `CREATE TABLE ${table} (_op VARCHAR, _seq BIGINT, _batch BIGINT, id INTEGER, v VARCHAR)`,
      rows(1, 20),
      'BEGIN',
      `ALTER TABLE ${table} ADD COLUMN z INTEGER DEFAULT 5`,
      rows(2, 3),
      `ALTER TABLE ${table} RENAME COLUMN v TO w`,
      `ALTER TABLE ${table} RENAME COLUMN w TO v2`,
      `DELETE FROM ${table} USING (SELECT 3 AS k) AS q WHERE id = q.k`,
      `ALTER TABLE ${table} ALTER id TYPE BIGINT`,
      `ALTER TABLE ${table} ADD COLUMN id3 VARCHAR`,
      `UPDATE ${table} SET id3 = id::VARCHAR`,
      `ALTER TABLE ${table} DROP COLUMN id`,
      `ALTER TABLE ${table} RENAME COLUMN id3 TO id`,
      `INSERT INTO ${table} (_op, _seq, _batch, id, z) SELECT 'I', i, 2, i, 7 FROM range(3) t(i)`,
      `ALTER TABLE ${table} RENAME TO other`,
      'COMMIT',
    );
    await expect(engine.rows('SELECT count(*) FROM lake.p.other')).rejects.toThrow(/already exists/);
  } finally {
    await engine.close();
    await rm(folder, { recursive: true, force: true });
  }
});
