import { InvalidArgumentError } from 'commander';
import type { Register } from '../context.ts';
import { loadTables } from '../loads.ts';
import { printVerified } from '../show-loads.ts';

interface Options {
  readonly repair?: boolean;
  readonly sample?: number;
}

export const register: Register = (program, bind) => {
  program
    .command('verify')
    .description('hold each row of the lake against the source; exit 1 where rows differ and were not repaired')
    .argument('[pattern...]', 'schema.table with * and ?, "!schema.table" to leave one out (default: all tracked tables)')
    .option('--repair', 'mend what differs')
    .option('--sample <percent>', 'read about so many percent of the rows; rows that the source lacks are then not found', percent)
    .action(
      bind(async (context, patterns: string[], { repair = false, sample }: Options) => {
        const config = context.config();
        const loads = await loadTables(context, config, { patterns, mode: repair ? 'repair' : 'verify', sample, doing: 'verifying' });
        await printVerified(context, config, loads, { repair, sample });
      }),
    );
};

function percent(text: string): number {
  const value = Number(text.replace(/%$/, ''));
  if (text.trim() !== '' && value > 0 && value <= 100) return value;
  throw new InvalidArgumentError('Expected a percentage above 0, up to 100.');
}
