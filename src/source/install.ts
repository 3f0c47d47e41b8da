import { fileURLToPath } from 'node:url';
import { runner } from 'node-pg-migrate';
import pg from 'pg';
import { SluiceError } from '../model/error.ts';
import type { Sql } from './connect.ts';
import { functionsScript, MIGRATIONS, migrationNames } from './sql.ts';

/** The `audit.version()` that this code works with. */
export const AUDIT_VERSION = 1;

export interface InstallResult {
  /** Names of the migrations that ran (or would run). */
  readonly migrations: readonly string[];
}

/**
 * Bring schema audit up to this code: migrations by node-pg-migrate (bookkeeping in audit.migration), then all functions, which are
 * replaced in one transaction. Safe to run again, and while the daemon runs.
 * @param options.dryRun tell what would run, change nothing
 * @param options.buffer `logged` keeps the buffer through a crash of the source, at the price of its WAL
 * @throws SluiceError source_newer when the database carries a migration that this code does not know
 */
export async function install(url: string, options: { dryRun?: boolean; buffer?: 'unlogged' | 'logged' } = {}): Promise<InstallResult> {
  const client = new pg.Client({ connectionString: url, application_name: 'sluice install' });
  await client.connect();
  try {
    const ran = await appliedMigrations(client);
    const unknown = ran.filter((name) => !migrationNames().includes(name));
    if (unknown.length > 0) {
      throw new SluiceError(
        'source_newer',
        `The database carries migrations of a newer pg-sluice: ${unknown.join(', ')}`,
        'Upgrade pg-sluice here.',
      );
    }
    const migrations = migrationNames().filter((name) => !ran.includes(name));
    if (options.dryRun) return { migrations };
    await runner({
      dbClient: client,
      dir: fileURLToPath(MIGRATIONS),
      direction: 'up',
      migrationsSchema: 'audit',
      createMigrationsSchema: true,
      migrationsTable: 'migration',
      verbose: false,
      log: () => {},
    });
    await client.query('BEGIN');
    await client.query(functionsScript());
    await setPersistence(client, options.buffer ?? 'unlogged');
    await client.query('COMMIT');
    return { migrations };
  } finally {
    await client.end();
  }
}

async function appliedMigrations(client: pg.Client): Promise<string[]> {
  const { rows } = await client.query<{ there: boolean }>("SELECT to_regclass('audit.migration') IS NOT NULL AS there");
  if (!rows[0]?.there) return [];
  const applied = await client.query<{ name: string }>('SELECT name FROM audit.migration ORDER BY id');
  return applied.rows.map((row) => row.name);
}

/**
 * Rewrites the buffer pair under an exclusive lock where it is not as asked, so only then. The sentinel goes with it: it says whether the buffer was emptied,
 * and would be gone after a crash that a logged buffer outlives.
 */
async function setPersistence(client: pg.Client, buffer: 'unlogged' | 'logged'): Promise<void> {
  const wanted = buffer === 'logged' ? 'p' : 'u';
  const { rows } = await client.query<{ name: string }>(
    "SELECT relname AS name FROM pg_class WHERE relnamespace = 'audit'::regnamespace AND relname IN ('cdc', 'cdc_old', 'sentinel') AND relpersistence <> $1",
    [wanted],
  );
  for (const { name } of rows) await client.query(`ALTER TABLE audit.${name} SET ${buffer === 'logged' ? 'LOGGED' : 'UNLOGGED'}`);
}

/**
 * Check that schema audit is there and of this code's version.
 * @throws SluiceError not_installed, install_outdated or source_newer
 */
export async function assertInstalled(sql: Sql): Promise<void> {
  const [row] = await sql<{ there: boolean }[]>`SELECT to_regprocedure('audit.version()') IS NOT NULL AS there`;
  if (!row?.there) {
    throw new SluiceError(
      'not_installed',
      'Schema audit of pg-sluice is not in this database',
      'Run `sluice install`, or apply `sluice sql`.',
    );
  }
  const [found] = await sql<{ version: number }[]>`SELECT audit.version() AS version`;
  const version = found?.version ?? 0;
  if (version < AUDIT_VERSION) {
    throw new SluiceError(
      'install_outdated',
      `Schema audit is of version ${version}, this pg-sluice needs ${AUDIT_VERSION}`,
      'Run `sluice install`.',
    );
  }
  if (version > AUDIT_VERSION) {
    throw new SluiceError(
      'source_newer',
      `Schema audit is of version ${version}, this pg-sluice knows ${AUDIT_VERSION}`,
      'Upgrade pg-sluice here.',
    );
  }
}

/** Remove schema audit with everything in it, waiting changes too; the triggers on application tables go with their functions. */
export async function uninstall(sql: Sql): Promise<void> {
  await sql`DROP SCHEMA IF EXISTS audit CASCADE`;
}
