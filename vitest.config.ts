import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { defineConfig } from 'vitest/config';

/** Seconds as vitest counts time. */
const seconds = (count: number) => count * 1000;

/**
 * One project per kind of test; what a kind may use, and how long it may take:
 * unit: nothing outside the process · pg: PostgreSQL · lake: DuckDB · contract: every implementation of a port ·
 * crash: processes and servers killed on purpose · e2e: the real command line, and Docker.
 */
const project = (name: string, timeout: number, setup: string[]) => ({
  extends: true as const,
  test: {
    name,
    include: [`test/${name}/**/*.test.ts`],
    globalSetup: setup,
    testTimeout: seconds(timeout),
    hookTimeout: seconds(Math.max(timeout, 30)),
  },
});

const servers = ['test/support/shared-servers.ts'];
const everything = ['test/support/extensions.ts', ...servers];

export default defineConfig({
  test: {
    pool: 'forks',
    // Each worker may hold a DuckDB and drive a PostgreSQL of its own; more of them on a small machine only wait for each other.
    maxWorkers: 2,
    // The suite starts the command line hundreds of times: 0.33 s of a core each with what Node compiled before, 0.55 s without.
    env: { NODE_COMPILE_CACHE: join(tmpdir(), 'sluice-test-compile-cache') },
    projects: [
      project('unit', 5, []),
      project('pg', 60, servers),
      project('lake', 60, everything),
      project('contract', 60, everything),
      project('crash', 180, everything),
      project('e2e', 180, everything),
    ],
  },
});
