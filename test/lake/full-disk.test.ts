import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { LakeConfig } from '../../src/lake/config.ts';
import { extensionsFor } from '../../src/lake/extensions.ts';
import { openLake } from '../../src/lake/lake.ts';
import { openForQuery } from '../../src/lake/query.ts';
import { identity, newBatch, stage } from '../contract/lake.ts';
import { testEngine } from './support.ts';

// A tmpfs takes root; where the tests run as somebody else these are not registered, which the name of the suite says.
const root = process.getuid?.() === 0;
describe(root ? 'full disk' : 'full disk (left out: mounting a tmpfs needs root)', () => {
  test('this process may mount, or says so', () => expect(typeof root).toBe('boolean'));
  if (!root) return;

  let folder: string;
  let disk: string;
  beforeEach(async () => {
    folder = await mkdtemp(join(tmpdir(), 'sluice-full-'));
    disk = join(folder, 'disk');
    mkdirSync(disk);
    execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=12m', 'tmpfs', disk]);
  });
  afterEach(async () => {
    execFileSync('umount', [disk]);
    await rm(folder, { recursive: true, force: true });
  });

  const lakes: Record<string, () => LakeConfig> = {
    'DuckDB file': () => ({ type: 'duckdb', path: join(disk, 'lake.duckdb') }),
    'DuckLake data path': () => ({ type: 'ducklake', catalog: `sqlite:${join(folder, 'c.sqlite')}`, data: join(disk, 'data') }),
    'DuckLake catalog and data': () => ({ type: 'ducklake', catalog: `sqlite:${join(disk, 'c.sqlite')}`, data: join(disk, 'data') }),
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
        const filler = join(disk, 'filler');
        // Fill all but 400 kB.
        const free = Number(execFileSync('df', ['--output=avail', '-k', disk], { encoding: 'utf8' }).split('\n')[1]);
        await writeFile(filler, Buffer.alloc((free - 400) * 1024, 1));
        await lake.acquire();
        const batch = newBatch();
        // Text that compression can't shrink below what is free.
        const noise = Array.from({ length: 40 }, (_, seq) => ({ seq: seq + 2, data: JSON.stringify(randomText(50_000)) }));
        await expect(lake.apply(batch, await stage(engine, batch, noise), [], identity)).rejects.toMatchObject({ code: 'lake_full' });
        await rm(filler);
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
