import type { Column, Row } from '../../lake/index.ts';
import type { Context, Register } from '../context.ts';
import { paint, plural, renderTable } from '../output.ts';

const NUMBER = /INT|DECIMAL|DOUBLE|FLOAT/;

export const register: Register = (program, bind) => {
  program
    .command('query')
    .description('run one SQL statement on the lake, read-only')
    .argument('<sql>', 'for example "SELECT * FROM cdc ORDER BY batch_id DESC LIMIT 10"')
    .option(
      '--at <time>',
      "all tables as of the last cut at or before it, for example '2026-03-03 12:00' (UTC) or '2026-03-03T12:00+01:00'",
    )
    .action(
      bind(async (context, sql: string, { at }: { at?: string }) => {
        const { columns, rows } = await read(context, sql, at);
        await context.print(rows, () => report(context, columns, rows));
      }),
    );
};

/** The whole result, so that the lake is free again before a slow reader of our output has seen it. */
async function read(context: Context, sql: string, at: string | undefined): Promise<{ columns: Column[]; rows: Row[] }> {
  // The engine is a native library: commands that don't need it work where it can't be loaded.
  const [{ withEngine, placesFor, assertLakeExists }, { extensionsFor, loadExtensions, openForQuery, whileLocked }] = await Promise.all([
    import('../lake.ts'),
    import('../../lake/index.ts'),
  ]);
  const config = context.lakeConfig();
  await assertLakeExists(config);
  return withEngine(config, context.io, async (engine) => {
    await loadExtensions(engine, extensionsFor(config.lake, 'fifo'), placesFor(config));
    const lake = await whileLocked(() => openForQuery(engine, config.lake, { at }));
    return lake.query(sql);
  });
}

function report(context: Context, columns: readonly Column[], rows: readonly Row[]): string {
  const head = columns.map(
    ({ name, type }) => ({ head: name, align: NUMBER.test(type) && !type.endsWith(']') ? 'right' : 'left' }) as const,
  );
  const cells = rows.map((row) => columns.map(({ name }) => row[name]));
  return `${renderTable(context.io.stdout, head, cells)}\n${paint(context.io.stdout, 'dim', `(${plural(rows.length, 'row')})`)}`;
}
