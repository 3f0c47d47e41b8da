import { readdirSync, readFileSync } from 'node:fs';

/** `sql/` and `migrations/` lie beside `src/` and beside `dist/` alike. */
const ROOT = new URL('../../', import.meta.url);

/** Where node-pg-migrate finds the migrations. */
export const MIGRATIONS = new URL('migrations/', ROOT);

/** The text of `sql/source/<name>.sql`. */
export function statement(name: string): string {
  return readFileSync(new URL(`sql/source/${name}.sql`, ROOT), 'utf8');
}

function read(folder: string, file: string): string {
  return readFileSync(new URL(`${folder}/${file}`, ROOT), 'utf8').trimEnd();
}

/** Names of the released migrations, in order, without their ending. */
export function migrationNames(): string[] {
  return readdirSync(MIGRATIONS)
    .filter((file) => file.endsWith('.sql'))
    .sort()
    .map((file) => file.slice(0, -'.sql'.length));
}

/** Names of what belongs into schema audit, for telling it from what others put there. */
export function objectNames(): { functions: string[]; relations: string[] } {
  const names = (ending: string) =>
    installedFiles()
      .filter((file) => file.endsWith('.view.sql') === (ending === '.view.sql'))
      .map((file) => file.slice('audit.'.length, -ending.length));
  const made = migrationNames().flatMap((name) => [
    ...read('migrations', `${name}.sql`).matchAll(/^CREATE (?:UNLOGGED )?(?:TABLE|SEQUENCE) IF NOT EXISTS audit\.(\w+)/gm),
  ]);
  return { functions: names('.sql'), relations: [...made.map((match) => match[1] ?? ''), ...names('.view.sql'), 'migration'] };
}

function installedFiles(): string[] {
  return readdirSync(new URL('sql/', ROOT))
    .filter((file) => file.endsWith('.sql'))
    .sort();
}

/**
 * Functions, then views, as one script that may run again at any time. Bodies are not checked while it runs: functions call each other,
 * and views are made anew because CREATE OR REPLACE can't drop a column.
 */
export function functionsScript(): string {
  const files = installedFiles();
  const views = files.filter((file) => file.endsWith('.view.sql'));
  const functions = files.filter((file) => !views.includes(file));
  return [
    'SET check_function_bodies = off;',
    ...functions.map((file) => `${read('sql', file)};`),
    'RESET check_function_bodies;',
    ...views.map((file) => `DROP VIEW IF EXISTS ${file.slice(0, -'.view.sql'.length)};\n${read('sql', file)}`),
    'REVOKE ALL ON ALL FUNCTIONS IN SCHEMA audit FROM PUBLIC;',
    'DO $$ BEGIN PERFORM audit.refresh_all(), audit.refresh_grants(); END $$;',
  ].join('\n\n');
}

/**
 * All of schema audit as one idempotent script for psql, alembic, Flyway or any other migration tool: no transaction control, no
 * psql commands. Apply it in one transaction.
 */
export function printSql(): string {
  const migrations = migrationNames().map((name) => read('migrations', `${name}.sql`));
  return `${[...migrations, functionsScript()].join('\n\n')}\n`;
}
