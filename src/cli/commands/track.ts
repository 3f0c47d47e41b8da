import { type Config, compilePatterns, compileRenames, type LakeNamer } from '../../config/index.ts';
import { SluiceError } from '../../model/error.ts';
import type { SourceStatus, TableName, TrackedColumns, TrackedTable } from '../../source/index.ts';
import { misfits, rulesInForce } from '../column-types.ts';
import type { Context, Register } from '../context.ts';
import { renderTable } from '../output.ts';
import { withProgress } from '../progress.ts';
import { withSource } from '../source.ts';
import { assertNamesApart, findUntrackable, noTables, type Selection, selectTables, tableLabel, tableOptions } from '../tables.ts';

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
        await withSource(config, async (sql, { assertInstalled, listTables, readColumns, readStatus, track }) => {
          await assertInstalled(sql);
          const tables = await listTables(sql);
          const matches = compilePatterns(patterns);
          if (!tables.some(matches)) throw noTables(patterns, await findUntrackable(sql, matches));
          const optionsOf = tableOptions(config);
          const again = (await readStatus(sql)).tables.filter((table) => mendable(table, config) || optionsOf(table) !== undefined);
          const selection = selectTables(tables, patterns, again);
          assertNamesApart(config, tables, selection);
          const label = { label: 'tracking', total: selection.fresh.length, unit: 'tables' };
          const { lockTimeoutMs, context: withContext } = config.source;
          const wanted = selection.fresh.map((table) => ({ ...table, options: optionsOf(table) }));
          const tracked = await withProgress(context, label, ({ update }) =>
            track(sql, wanted, { lockTimeoutMs, context: withContext, progress: update }),
          );
          const notes = notesOn(await readColumns(sql), compileRenames(config.renames));
          await context.print(asData(tracked, selection, notes), () => report(context, tracked, selection, notes));
        });
      }),
    );
};

/** Tracked tables to track again: triggers are missing, the shape changed, or source.context did. */
function mendable({ problem, stale, context }: SourceStatus['tables'][number], { source }: Config): boolean {
  return problem === 'bypassed' || problem === 'drifted' || stale || context !== source.context;
}

/** The rules in force for a table, then what is wrong with them. */
type Notes = (table: TableName) => readonly string[];

function notesOn(columns: readonly TrackedColumns[], rename: LakeNamer): Notes {
  return ({ schema, name }) => {
    const table = columns.find((one) => one.schema === schema && one.name === name);
    const renamed = rename({ schema, name });
    const inLake = renamed ? [`renamed: ${tableLabel(renamed)}`] : [];
    return table ? [...rulesInForce(table), ...inLake, ...misfits(table.columns, table.types).map(({ message }) => message)] : [];
  };
}

function asData(tracked: readonly TrackedTable[], { already, refused }: Selection, notes: Notes): unknown {
  return {
    tracked: tracked.map((table) => ({ ...table, rules: notes(table) })),
    already: already.map(({ schema, name }) => ({ schema, name, rules: notes({ schema, name }) })),
    refused: refused.map(({ schema, name, refusal }) => ({ schema, name, refusal })),
  };
}

function report(context: Context, tracked: readonly TrackedTable[], { already, refused }: Selection, notes: Notes): string {
  const note = (table: TableName, notice: string | null) => [...(notice === null ? [] : [notice]), ...notes(table)].join('; ');
  const rows = [
    ...tracked.map((table) => [tableLabel(table), 'tracked', table.key?.join(', ') ?? 'none', note(table, table.notice)]),
    ...already.map((table) => [tableLabel(table), 'was tracked', table.key?.join(', ') ?? 'none', note(table, null)]),
    ...refused.map((table) => [tableLabel(table), 'refused', table.key?.join(', ') ?? 'none', table.refusal]),
  ];
  return renderTable(context.io.stdout, [{ head: 'table' }, { head: '' }, { head: 'key' }, { head: 'note' }], rows);
}
