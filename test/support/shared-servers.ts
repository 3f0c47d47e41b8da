import type { TestProject } from 'vitest/node';
import { type PostgresAddress, type PostgresVersion, startPostgres, type TestPostgres, testVersions } from './postgres.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    postgres: PostgresAddress[];
  }
}

/** Vitest loads this file once per project; the servers are those of the whole run, so they hang on the process, not on the module. */
const run = globalThis as typeof globalThis & { sluiceServers?: { users: number; servers: Map<PostgresVersion, Promise<TestPostgres>> } };

/** Vitest's global setup: one server for each version under test, shared by all files of all projects; `sharedPostgres` finds them. */
export default async function setup(project: TestProject): Promise<() => Promise<void>> {
  run.sluiceServers ??= { users: 0, servers: new Map() };
  const { servers } = run.sluiceServers;
  run.sluiceServers.users += 1;
  for (const version of testVersions()) if (!servers.has(version)) servers.set(version, startPostgres(version));
  const started = await Promise.all(servers.values());
  project.provide(
    'postgres',
    started.map(({ version, url, port, dataDir }) => ({ version, url, port, dataDir })),
  );
  return async () => {
    if (!run.sluiceServers || --run.sluiceServers.users > 0) return;
    delete run.sluiceServers;
    await Promise.all(started.map((server) => server.stop()));
  };
}
