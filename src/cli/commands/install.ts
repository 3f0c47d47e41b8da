import type { Register } from '../context.ts';

export const register: Register = (program, bind) => {
  program
    .command('install')
    .description('create or update schema audit in the source; safe to run again')
    .option('--dry-run', 'say what would be done and change nothing')
    .action(
      bind(async (context, { dryRun = false }: { dryRun?: boolean }) => {
        const { source } = context.config();
        const { install } = await import('../../source/index.ts');
        const { migrations } = await install(source.url, { dryRun, buffer: source.buffer });
        await context.print({ dryRun, migrations }, () => report(dryRun, migrations));
      }),
    );
};

function report(dryRun: boolean, migrations: readonly string[]): string {
  const list = migrations.map((name) => `  ${name}`);
  if (dryRun) {
    const head = migrations.length === 0 ? 'No migration would run;' : 'These migrations would run:';
    return [head, ...list, 'all functions of schema audit would be replaced. sluice sql prints everything.'].join('\n');
  }
  const head =
    migrations.length === 0
      ? 'Schema audit was up to date; its functions were replaced.'
      : 'Schema audit is installed. Migrations that ran:';
  return [head, ...list, 'Next: sluice track'].join('\n');
}
