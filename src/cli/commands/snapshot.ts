import type { Register } from '../context.ts';
import { loadTables } from '../loads.ts';
import { printLoaded } from '../show-loads.ts';

export const register: Register = (program, bind) => {
  program
    .command('snapshot')
    .description(
      'read tables from the source once more and mend what the lake has otherwise; the daemon does it, or this command where none runs',
    )
    .argument('[pattern...]', 'schema.table with * and ?, "!schema.table" to leave one out (default: all tracked tables)')
    .option('--full', 'make the state of each anew from what is read, instead of comparing; history goes on')
    .action(
      bind(async (context, patterns: string[], { full = false }: { full?: boolean }) => {
        const loads = await loadTables(context, context.config(), { patterns, mode: full ? 'full' : 'compare', doing: 'loading' });
        await printLoaded(context, 'loaded', loads);
      }),
    );
};
