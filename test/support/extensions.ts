import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

/** vitest's globalSetup: the DuckDB extensions that the tests load, had by the product's own command. Seconds once, then nothing. */
export async function setup(): Promise<void> {
  const main = fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url));
  const env = { ...process.env, SLUICE_LAKE_CATALOG: 'sqlite:catalog.sqlite', SLUICE_LAKE_DATA: 'data', SLUICE_STAGING: 'extension' };
  await promisify(execFile)(process.execPath, [main, 'extensions', '--install'], { env });
}
