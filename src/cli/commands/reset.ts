import type { Register } from '../context.ts';
import { loadTables } from '../loads.ts';
import { printLoaded } from '../show-loads.ts';

export const register: Register = (program, bind) => {
  program
    .command('reset')
    .description('load tables as if for the first time: their typed log and history begin anew, main.cdc keeps what it has')
    .argument('<pattern...>', 'schema.table with * and ?, "!schema.table" to leave one out')
    .action(
      bind(async (context, patterns: string[]) => {
        const loads = await loadTables(context, context.config(), { patterns, mode: 'reset', doing: 'loading' });
        await printLoaded(context, 'reset', loads);
      }),
    );
};
