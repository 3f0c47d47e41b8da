import { placesFor } from '../../src/cli/lake.ts';
import type { Config } from '../../src/config/index.ts';
import { type ComposeOptions, type Composition, compose } from '../../src/daemon/index.ts';

/** Tests have small batches. On a catalog in PostgreSQL they go as large ones do. */
export function streamRowsOf({ lake }: Config): number | undefined {
  return lake.type === 'ducklake' && lake.catalog.startsWith('postgres') ? 0 : undefined;
}

/** And small chunks of loads: on a catalog in SQLite they go as large ones do. */
export function filePagesOf({ lake }: Config): number | undefined {
  return lake.type === 'ducklake' && lake.catalog.startsWith('sqlite') ? 0 : undefined;
}

/** What a daemon is composed of, with both ways of a batch and of a load's chunk to the lake in use: see streamRowsOf, filePagesOf. */
export function composeForTest(options: Omit<ComposeOptions, 'places' | 'streamRows' | 'filePages'>): Promise<Composition> {
  const { config } = options;
  return compose({ ...options, places: placesFor(config), streamRows: streamRowsOf(config), filePages: filePagesOf(config) });
}
