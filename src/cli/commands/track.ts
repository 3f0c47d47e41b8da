import { type Config, compilePatterns } from '../../config/index.ts';
import { SluiceError } from '../../model/error.ts';
import type { SourceStatus, TableName, TrackedTable, TrackOptions } from '../../source/index.ts';
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
          const optionsOf = tableOptions(config);
          const again = (await readStatus(sql)).tables.filter((table) => mendable(table, config) || optionsOf(table) !== undefined);
          const selection = selectTables(tables, patterns, again);
          const label = { label: 'tracking', total: selection.fresh.length, unit: 'tables' };
          const { lockTimeoutMs, context: withContext } = config.source;
          const wanted = selection.fresh.map((table) => ({ ...table, options: optionsOf(table) }));
          const tracked = await withProgress(context, label, ({ update }) =>
            track(sql, wanted, { lockTimeoutMs, context: withContext, progress: update }),
          );
          await context.print(asData(tracked, selection), () => report(context, tracked, selection));
        });
      }),
    );
};

/** Tracked tables to track again: triggers are missing, the shape changed, or source.context did. */
function mendable({ problem, stale, context }: SourceStatus['tables'][number], { source }: Config): boolean {
  return problem === 'bypassed' || problem === 'drifted' || stale || context !== source.context;
}

/** What the configuration says of one table; undefined: nothing, so it keeps what it was tracked with. */
function tableOptions({ tableOptions: all }: Config): (table: TableName) => TrackOptions | undefined {
  const matchers = all.map(({ table, ...options }) => ({ matches: compilePatterns([table]), options }));
  return (table) => matchers.findLast(({ matches }) => matches(table))?.options;
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
