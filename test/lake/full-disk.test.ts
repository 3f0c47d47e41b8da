import { join } from 'node:path';
import { expect, test } from 'vitest';
import type { LakeConfig } from '../../src/lake/config.ts';
import { extensionsFor } from '../../src/lake/extensions.ts';
import { openLake } from '../../src/lake/lake.ts';
import { openForQuery } from '../../src/lake/query.ts';
import { identity, newBatch, stageRows as stage } from '../contract/lake.ts';
import { describeOnSmallDisk } from '../support/small-disk.ts';
import { testEngine } from './support.ts';

describeOnSmallDisk('full disk', (small) => {
  const lakes: Record<string, () => LakeConfig> = {
    'DuckDB file': () => ({ type: 'duckdb', path: join(small.disk, 'lake.duckdb') }),
    'DuckLake data path': () => ({ type: 'ducklake', catalog: `sqlite:${join(small.beside, 'c.sqlite')}`, data: join(small.disk, 'data') }),
    'DuckLake catalog and data': () => ({
      type: 'ducklake',
      catalog: `sqlite:${join(small.disk, 'c.sqlite')}`,
      data: join(small.disk, 'data'),
    }),
  };
  for (const [name, config] of Object.entries(lakes)) {
    test(`${name}: lake_full, nothing half-written, and after space is freed it goes on`, async () => {
      const lakeConfig = config();
      const engine = await testEngine(extensionsFor(lakeConfig, 'fifo'), { threads: 1 });
      const lake = openLake(engine, lakeConfig);
      try {
        await lake.acquire();
        const first = newBatch();
        await lake.apply(first, await stage(engine, first, [{ seq: 1, data: '{}' }]), [], identity);
        await lake.release();
        const free = await small.fill();
        await lake.acquire();
        const batch = newBatch();
        // Text that compression can't shrink below what is free.
        const noise = Array.from({ length: 40 }, (_, seq) => ({ seq: seq + 2, data: JSON.stringify(randomText(50_000)) }));
        await expect(lake.apply(batch, await stage(engine, batch, noise), [], identity)).rejects.toMatchObject({ code: 'lake_full' });
        await free();
        expect(await lake.find(batch.id)).toBeUndefined();
        await lake.apply(batch, await stage(engine, batch, noise), [], identity);
        await lake.close();
        const query = await openForQuery(engine, lakeConfig);
        expect((await query.query('SELECT count(*) AS n, count(DISTINCT cdc_seq) AS seqs, max(batch_id) AS batch FROM cdc')).rows).toEqual([
          { n: 41, seqs: 41, batch: 2 },
        ]);
        await query.close();
      } finally {
        await engine.close();
      }
    });
  }
});

function randomText(length: number): string {
  return Array.from({ length }, () => String.fromCharCode(33 + Math.floor(Math.random() * 90))).join('');
}
