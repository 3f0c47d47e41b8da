import { compilePatterns, distance } from '../../config/index.ts';
import type { Rebuilt } from '../../lake/index.ts';
import { SluiceError } from '../../model/error.ts';
import type { LakeTable } from '../../model/table.ts';
import type { Register } from '../context.ts';
import { formatCount, renderTable } from '../output.ts';
import { withProgress } from '../progress.ts';
import { tableLabel } from '../tables.ts';

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
          for (const pattern of patterns) assertMeant(pattern, tables);
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

/** @throws SluiceError unknown_table, with the names that come near, where a pattern that includes matches none */
function assertMeant(pattern: string, tables: readonly LakeTable[]): void {
  if (pattern.startsWith('!') || tables.some(({ source }) => compilePatterns([pattern])(source))) return;
  const near = tables
    .map(({ source }) => ({
      label: tableLabel(source),
      edits: Math.min(distance(pattern, tableLabel(source)), distance(pattern.replace(/^.*\./s, ''), source.name)),
    }))
    .filter(({ edits }) => edits <= Math.max(2, pattern.length / 3))
    .sort((a, b) => a.edits - b.edits)
    .slice(0, 3)
    .map(({ label }) => label);
  throw new SluiceError(
    'unknown_table',
    `The lake has no table ${pattern}.`,
    near.length > 0
      ? `Did you mean ${near.join(' or ')}?`
      : 'sluice query \'SELECT source_schema, source_name FROM sluice."table"\' lists what it has.',
  );
}
