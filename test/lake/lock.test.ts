import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterEach, beforeEach, expect, test } from 'vitest';
import type { LakeConfig } from '../../src/lake/config.ts';
import { extensionsFor } from '../../src/lake/extensions.ts';
import { openLake } from '../../src/lake/lake.ts';
import { identity, newBatch, stageRows as stage } from '../contract/lake.ts';
import { testEngine } from './support.ts';

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-lock-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

/** Open a DuckDB file read-write in another process; the answer is its output or its error. */
async function elsewhere(file: string): Promise<string> {
  const script = `
    const { DuckDBInstance } = require('@duckdb/node-api');
    DuckDBInstance.create(${JSON.stringify(file)}).then(() => console.log('opened'), (error) => console.log(error.message));`;
  const { stdout } = await promisify(execFile)(process.execPath, ['-e', script]);
  return stdout;
}

const lakes: Record<string, () => { config: LakeConfig; file: string }> = {
  'DuckDB file': () => ({ config: { type: 'duckdb', path: join(folder, 'lake.duckdb') }, file: join(folder, 'lake.duckdb') }),
  'DuckLake on a DuckDB file': () => ({
    config: { type: 'ducklake', catalog: `duckdb:${join(folder, 'c.ducklake')}`, data: join(folder, 'data') },
    file: join(folder, 'c.ducklake'),
  }),
};

for (const [name, place] of Object.entries(lakes)) {
  test(`${name}: held from acquire to release, also after a failure, and open to other processes then`, async () => {
    const { config, file } = place();
    const engine = await testEngine(extensionsFor(config, 'fifo'), { threads: 1 });
    const lake = openLake(engine, config);
    try {
      await lake.acquire();
      expect(await elsewhere(file)).toMatch(/Could not set lock/);
      const batch = newBatch();
      await lake.apply(batch, await stage(engine, batch, [{ seq: 1, data: '{}' }]), [], identity);
      expect(await elsewhere(file)).toMatch(/Could not set lock/);
      await lake.release();
      expect(await elsewhere(file)).toBe('opened\n');
      await lake.acquire();
      await expect(lake.apply(batch, await stage(engine, batch, []), [], identity)).rejects.toMatchObject({ code: 'lake_already_holds' });
      await lake.release();
      expect(await elsewhere(file)).toBe('opened\n');
    } finally {
      await engine.close();
    }
  });

  test(`${name}: held by another process is lake_locked`, async () => {
    const { config, file } = place();
    const engine = await testEngine(extensionsFor(config, 'fifo'), { threads: 1 });
    // Another process it must be: a POSIX lock doesn't hold against the process that has it.
    const holder = spawn(process.execPath, [
      '-e',
      `const { DuckDBInstance } = require('@duckdb/node-api');
       DuckDBInstance.create(${JSON.stringify(file)}).then((held) => { console.log('held'); setInterval(() => held, 1000); });`,
    ]);
    try {
      await once(holder.stdout, 'data');
      const lake = openLake(engine, config);
      await expect(lake.acquire()).rejects.toMatchObject({ code: 'lake_locked' });
      holder.kill('SIGKILL');
      await once(holder, 'exit');
      await lake.acquire();
    } finally {
      holder.kill('SIGKILL');
      await engine.close();
    }
  });
}
