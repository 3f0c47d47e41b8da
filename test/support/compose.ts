import { placesFor } from '../../src/cli/lake.ts';
import type { Config } from '../../src/config/index.ts';
import { type ComposeOptions, type Composition, compose } from '../../src/daemon/index.ts';

/** Tests have small batches. On a catalog in PostgreSQL they go as large ones do. */
export function streamRowsOf({ lake }: Config): number | undefined {
  return lake.type === 'ducklake' && lake.catalog.startsWith('postgres') ? 0 : undefined;
}

/** What a daemon is composed of, with both ways of a batch to the lake in use: see streamRowsOf. */
export function composeForTest(options: Omit<ComposeOptions, 'places' | 'streamRows'>): Promise<Composition> {
  return compose({ ...options, places: placesFor(options.config), streamRows: streamRowsOf(options.config) });
}
