import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { extensionsFor } from '../../src/lake/extensions.ts';
import { LakeSession } from '../../src/lake/session.ts';
import { freshDatabase } from '../support/postgres.ts';
import { sharedPostgres } from '../support/shared.ts';
import { testEngine } from './support.ts';

/** The two write to different tables, so nothing but the anchor tells one of the other. */
test('of two writers at the same time one is refused, though neither moves the anchor', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'sluice-fence-'));
  const catalog = await freshDatabase(sharedPostgres(18));
  const config = { type: 'ducklake' as const, catalog: catalog.url, data: join(folder, 'data') };
  const [one, other] = [await testEngine(extensionsFor(config, 'fifo')), await testEngine(extensionsFor(config, 'fifo'))];
  const [ours, theirs] = [new LakeSession(one, config), new LakeSession(other, config)];
  try {
    await ours.acquire();
    await theirs.acquire();
    const late = ours.amend('ours', async (sql) => {
      await sql.run("INSERT INTO lake.sluice.loss VALUES (1, 1, 'a', 'b', 'c', 'ours')");
      await theirs.amend('theirs', async (their) => void (await their.run('INSERT INTO lake.sluice.load_chunk VALUES (uuid(), 1, 1)')));
    });
    await expect(late).rejects.toMatchObject({ code: 'lake_conflict' });
    await theirs.use('looking', async (sql) => {
      expect(await sql.rows('SELECT count(*) AS n FROM lake.sluice.loss')).toEqual([{ n: 0 }]);
    });
  } finally {
    await one.close();
    await other.close();
    await catalog.drop();
    await rm(folder, { recursive: true, force: true });
  }
});
