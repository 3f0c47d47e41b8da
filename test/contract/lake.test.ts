import { randomUUID } from 'node:crypto';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { LakeConfig } from '../../src/lake/config.ts';
import { sharedPostgres } from '../support/shared.ts';
import { lakeContract } from './lake.ts';

/** A folder of its own for each lake. */
function inFolder(config: (folder: string) => LakeConfig) {
  return async () => {
    const folder = await mkdtemp(join(tmpdir(), 'sluice-lake-'));
    return { config: config(folder), remove: () => rm(folder, { recursive: true, force: true }) };
  };
}

lakeContract(
  'DuckDB file',
  inFolder((folder) => ({ type: 'duckdb', path: join(folder, "it's a lake.duckdb") })),
);
lakeContract(
  'DuckDB file, streaming',
  inFolder((folder) => ({ type: 'duckdb', path: join(folder, 'lake.duckdb') })),
  { streams: true },
);
lakeContract(
  'DuckLake, SQLite catalog',
  inFolder((folder) => ({ type: 'ducklake', catalog: `sqlite:${join(folder, 'new', 'catalog.sqlite')}`, data: join(folder, 'data') })),
);
lakeContract(
  'DuckLake, DuckDB catalog',
  inFolder((folder) => ({
    type: 'ducklake',
    catalog: `duckdb:${join(folder, 'catalog.ducklake')}`,
    data: join(folder, 'data'),
    inlineRows: 0,
  })),
);
lakeContract(
  'DuckLake, PostgreSQL catalog',
  inFolder((folder) => ({
    type: 'ducklake',
    catalog: sharedPostgres().url,
    data: join(folder, 'data'),
    metadataSchema: `lake_${randomUUID().replaceAll('-', '')}`,
  })),
  { streams: true },
);
