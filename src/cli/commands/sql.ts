import type { Register } from '../context.ts';
import { writeOut } from '../output.ts';

export const register: Register = (program, bind) => {
  program
    .command('sql')
    .description('print all that install does in the source as one script, for other migration tools')
    .action(
      bind(async (context) => {
        const { printSql } = await import('../../source/index.ts');
        const script = printSql();
        if (context.json) await context.print({ sql: script }, () => '');
        else await writeOut(context.io.stdout, script);
      }),
    );
};
