import { type Config, compileRenames } from '../config/index.ts';
import type { SourceIdentity } from '../model/batch.ts';
import type { SourceTable } from '../model/table.ts';
import type { Sql } from '../source/index.ts';

type Source = typeof import('../source/index.ts');

/**
 * Connect to the source for one command, and disconnect however it ends. The source side is loaded here and handed to `work`:
 * commands that don't need it, and --help, start in half the time.
 */
export async function withSource<T>(
  config: { readonly source: { readonly url: string } },
  work: (sql: Sql, source: Source) => Promise<T>,
): Promise<T> {
  const source = await import('../source/index.ts');
  const sql = source.connect({ url: config.source.url, applicationName: 'sluice cli' });
  try {
    return await work(sql, source);
  } finally {
    await sql.end({ timeout: 5 });
  }
}

/** Which database the source is, as the lake's ledger names it. Needs schema audit. */
export async function readIdentity({ source: { url, lockTimeoutMs } }: Config): Promise<SourceIdentity> {
  const { PostgresSource } = await import('../source/index.ts');
  await using source = new PostgresSource({ url, lockTimeoutMs });
  return await source.identity();
}

/** The tracked tables as the lake is to follow them. Needs schema audit. */
export async function readTrackedTables(config: Config): Promise<SourceTable[]> {
  const ids = await withSource(config, async (sql, { readColumns }) => (await readColumns(sql)).map(({ id }) => id));
  const { PostgresSource } = await import('../source/index.ts');
  await using source = new PostgresSource({ ...config.source, rename: compileRenames(config.renames) });
  return await source.tables(ids);
}
