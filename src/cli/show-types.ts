import { type Config, compilePatterns } from '../config/index.ts';
import type { TrackedColumns } from '../source/index.ts';
import { type ColumnType, describeColumns } from './column-types.ts';
import type { Context } from './context.ts';
import { paint, renderTable } from './output.ts';
import { withSource } from './source.ts';
import { noTracked, tableLabel } from './tables.ts';

/** `sluice status --types`: how the lake holds the columns of the tracked tables that match (no pattern: of all). Needs the source alone. */
export async function showTypes(context: Context, config: Config, patterns: readonly string[]): Promise<void> {
  const tracked = await withSource(config, async (sql, { assertInstalled, readColumns }) => {
    await assertInstalled(sql);
    return readColumns(sql);
  });
  const tables = patterns.length === 0 ? tracked : tracked.filter(compilePatterns(patterns));
  if (tables.length === 0 && patterns.length > 0) throw noTracked(patterns);
  const described = tables.map((table) => ({ table, columns: describeColumns(table) }));
  await context.print(
    described.map(({ table: { schema, name, key, evolve }, columns }) => ({ schema, name, key, evolve, columns })),
    () =>
      described.length === 0 ? 'No table is tracked. Next: sluice track' : described.map((one) => typesReport(context, one)).join('\n\n'),
  );
}

function typesReport({ io: { stdout } }: Context, { table, columns }: { table: TrackedColumns; columns: readonly ColumnType[] }): string {
  const about = [`key ${table.key?.join(', ') ?? 'none: log only'}`, ...(table.evolve === 'follow' ? [] : [`evolve: ${table.evolve}`])];
  const rows = columns.map(({ column, sourceType, lakeColumn, lakeType, held, lost, problem }) => [
    column,
    sourceType,
    lakeColumn === null || lakeColumn === column ? lakeType : `${lakeColumn} ${lakeType ?? ''}`,
    problem ?? held,
    lost,
  ]);
  const heads = [{ head: 'column' }, { head: 'source' }, { head: 'lake' }, { head: 'held as' }, { head: 'lost' }];
  return `${paint(stdout, 'bold', tableLabel(table))}, ${about.join(', ')}\n${renderTable(stdout, heads, rows)}`;
}
