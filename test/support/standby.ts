import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import postgres from 'postgres';
import { startCluster, type TestPostgres } from './postgres.ts';
import { toolFolder } from './tools.ts';
import { until } from './until.ts';

/** Where pg_basebackup is, without which there is no standby; it is of version 15, and copies no server of a later one. */
export const BASEBACKUP = toolFolder('pg_basebackup');

export interface Standby extends TestPostgres {
  /** Wait until it has replayed what the primary has written so far. */
  catchUp(): Promise<void>;
  /** Make it a primary, on a timeline of its own. What it has received but not yet replayed, it replays first: to be behind it must have been halted. */
  promote(): Promise<void>;
}

/** An asynchronous standby of `primary`: pg_basebackup, then streaming replication on loopback. */
export async function startStandby(primary: TestPostgres): Promise<Standby> {
  if (BASEBACKUP === undefined) throw new Error('pg_basebackup is not here: see BASEBACKUP');
  const tool = join(BASEBACKUP, 'pg_basebackup');
  const server = await startCluster(primary.version, async (_, root, account) => {
    const flags = ['-D', join(root, 'data'), '-d', primary.url, '-R', '-X', 'stream', '--checkpoint=fast', '--no-sync'];
    await promisify(execFile)(tool, flags, { ...account, cwd: '/' });
  });
  const ask = async <T>(url: string, query: string): Promise<T | undefined> => {
    const sql = postgres(url, { max: 1, onnotice: () => {} });
    try {
      return (await sql.unsafe(query))[0] as T | undefined;
    } finally {
      await sql.end();
    }
  };
  return Object.assign(server, {
    catchUp: async () => {
      const written = await ask<{ lsn: string }>(primary.url, 'SELECT pg_current_wal_flush_lsn()::text AS lsn');
      await until('the standby has caught up', async () => {
        const replayed = await ask<{ there: boolean }>(server.url, `SELECT pg_last_wal_replay_lsn() >= '${written?.lsn}' AS there`);
        return replayed?.there === true;
      });
    },
    promote: async () => {
      await ask(server.url, 'SELECT pg_promote()');
    },
  });
}
