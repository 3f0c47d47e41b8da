import { compilePatterns } from '../../config/index.ts';
import { SluiceError } from '../../model/error.ts';
import type { SourceStatus, TableName, TrackedTable } from '../../source/index.ts';
import type { Context, Register } from '../context.ts';
import { renderTable } from '../output.ts';
import { withProgress } from '../progress.ts';
import { withSource } from '../source.ts';
import { findUntrackable, noTables, type Selection, selectTables, tableLabel } from '../tables.ts';

export const register: Register = (program, bind) => {
  program
    .command('track')
    .description('start to capture the changes of tables')
    .argument('[pattern...]', 'schema.table with * and ?, "!schema.table" to leave one out (default: tables in sluice.yaml)')
    .action(
      bind(async (context, given: string[]) => {
        const config = context.config();
        const patterns = given.length > 0 ? given : config.tables;
        if (patterns.length === 0) {
          throw new SluiceError(
            'usage',
            'no pattern was given, and tables in the configuration is empty',
            'For example: sluice track "public.*"',
          );
        }
        await withSource(config, async (sql, { assertInstalled, listTables, readStatus, track }) => {
          await assertInstalled(sql);
          const tables = await listTables(sql);
          const matches = compilePatterns(patterns);
          if (!tables.some(matches)) throw noTables(patterns, await findUntrackable(sql, matches));
          const selection = selectTables(tables, patterns, mendable(await readStatus(sql)));
          const label = { label: 'tracking', total: selection.fresh.length, unit: 'tables' };
          const { lockTimeoutMs } = config.source;
          const tracked = await withProgress(context, label, ({ update }) =>
            track(sql, selection.fresh, { lockTimeoutMs, progress: update }),
          );
          await context.print(asData(tracked, selection), () => report(context, tracked, selection));
        });
      }),
    );
};

/** Tracked tables whose triggers are incomplete, or whose shape changed: doctor says to track them again. */
function mendable({ tables }: SourceStatus): TableName[] {
  return tables.filter(({ problem }) => problem === 'bypassed' || problem === 'drifted');
}

function asData(tracked: readonly TrackedTable[], { already, refused }: Selection): unknown {
  return {
    tracked,
    already: already.map(({ schema, name }) => ({ schema, name })),
    refused: refused.map(({ schema, name, refusal }) => ({ schema, name, refusal })),
  };
}

function report(context: Context, tracked: readonly TrackedTable[], { already, refused }: Selection): string {
  const rows = [
    ...tracked.map((table) => [tableLabel(table), 'tracked', table.key?.join(', ') ?? 'none', table.notice]),
    ...already.map((table) => [tableLabel(table), 'was tracked', table.key?.join(', ') ?? 'none', null]),
    ...refused.map((table) => [tableLabel(table), 'refused', table.key?.join(', ') ?? 'none', table.refusal]),
  ];
  return renderTable(context.io.stdout, [{ head: 'table' }, { head: '' }, { head: 'key' }, { head: 'note' }], rows);
}
