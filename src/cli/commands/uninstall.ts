import { SluiceError } from '../../model/error.ts';
import type { Register } from '../context.ts';
import { withSource } from '../source.ts';

export const register: Register = (program, bind) => {
  program
    .command('uninstall')
    .description('remove schema audit and all its triggers from the source; the lake stays')
    .option('--yes', 'really do it: changes that have not reached the lake are lost')
    .action(
      bind(async (context, { yes = false }: { yes?: boolean }) => {
        if (!yes) {
          throw new SluiceError(
            'usage',
            'uninstall removes schema audit, with the changes in it that have not reached the lake',
            'Run sluice run --once to drain them, then sluice uninstall --yes.',
          );
        }
        await withSource(context.config(), (sql, { uninstall }) => uninstall(sql));
        await context.print({ uninstalled: true }, () => 'Schema audit is gone from the source. The lake was not touched.');
      }),
    );
};
