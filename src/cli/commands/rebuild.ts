import { compilePatterns } from '../../config/index.ts';
import type { Rebuilt } from '../../lake/index.ts';
import type { Register } from '../context.ts';
import { formatCount, renderTable } from '../output.ts';
import { withProgress } from '../progress.ts';
import { assertMeant, tableLabel } from '../tables.ts';

export const register: Register = (program, bind) => {
  program
    .command('rebuild')
    .description("make state and typed log of tables anew from the lake's log; the source is not needed, the daemon may run")
    .argument('<table...>', 'schema.table as the source names it, or with * and ?')
    .action(
      bind(async (context, patterns: string[]) => {
        const matches = compilePatterns(patterns);
        const config = context.lakeConfig();
        const [{ withEngine, placesFor, assertLakeExists }, { extensionsFor, loadExtensions, readTables, rebuildTable }] =
          await Promise.all([import('../lake.ts'), import('../../lake/index.ts')]);
        await assertLakeExists(config);
        const rebuilt = await withEngine(config, context.io, async (engine) => {
          await loadExtensions(engine, extensionsFor(config.lake, 'fifo'), placesFor(config));
          const tables = await readTables(engine, config.lake);
          const names = tables.map(({ source }) => source);
          for (const pattern of patterns) assertMeant(pattern, names, { message: `The lake has no table ${pattern}.`, remedy: REMEDY });
          const done: Rebuilt[] = [];
          for (const table of tables.filter(({ source }) => matches(source))) {
            const label = { label: tableLabel(table.source), total: 0, unit: 'batches' };
            done.push(await withProgress(context, label, ({ update }) => rebuildTable(engine, config.lake, table, { progress: update })));
          }
          return done;
        });
        await context.print({ rebuilt }, () =>
          renderTable(
            context.io.stdout,
            [{ head: 'table' }, { head: 'changes', align: 'right' }, { head: 'rows', align: 'right' }, { head: 'losses', align: 'right' }],
            rebuilt.map((one) => [
              tableLabel(one),
              formatCount(one.changes),
              one.rows === null ? 'no state' : formatCount(one.rows),
              formatCount(one.losses),
            ]),
          ),
        );
      }),
    );
};

const REMEDY = 'sluice query \'SELECT source_schema, source_name FROM sluice."table"\' lists what it has.';
