import { compilePatterns } from '../../config/index.ts';
import type { Register } from '../context.ts';
import { withSource } from '../source.ts';
import { noTracked, tableLabel } from '../tables.ts';

export const register: Register = (program, bind) => {
  program
    .command('untrack')
    .description('stop to capture the changes of tables; the lake keeps their log and history, but no current state')
    .argument('<pattern...>', 'schema.table with * and ?, "!schema.table" to leave one out')
    .action(
      bind(async (context, patterns: string[]) => {
        const matches = compilePatterns(patterns);
        const config = context.config();
        await withSource(config, async (sql, { assertInstalled, listTables, untrack }) => {
          await assertInstalled(sql);
          const tables = (await listTables(sql)).filter((table) => table.tracked && matches(table));
          if (tables.length === 0) throw noTracked(patterns);
          const untracked = await untrack(sql, tables, { lockTimeoutMs: config.source.lockTimeoutMs });
          const names = untracked.map(({ schema, name }) => ({ schema, name }));
          await context.print({ untracked: names }, () => names.map((table) => `${tableLabel(table)} is no longer tracked`).join('\n'));
        });
      }),
    );
};
