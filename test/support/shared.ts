import { inject } from 'vitest';
import { type PostgresAddress, type PostgresVersion, testVersions } from './postgres.ts';
// Its declaration types `inject('postgres')`.
import type {} from './shared-servers.ts';

/**
 * The server of this version that all test files of a run share: use a `freshDatabase` on it, and leave roles, settings and the server itself
 * as they were (random role names; a test that stops or configures a server calls `startPostgres`). Default: the newest version under test.
 */
export function sharedPostgres(version: PostgresVersion = Math.max(...testVersions()) as PostgresVersion): PostgresAddress {
  const server = inject('postgres').find((one) => one.version === version);
  if (!server) throw new Error(`PostgreSQL ${version} is not in this run (SLUICE_TEST_PG)`);
  return server;
}
