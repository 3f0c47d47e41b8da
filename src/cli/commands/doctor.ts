import type { Finding } from '../../source/index.ts';
import type { Context, Register } from '../context.ts';
import { paint, plural } from '../output.ts';
import { withProgress } from '../progress.ts';

export const register: Register = (program, bind) => {
  program
    .command('doctor')
    .description('check configuration, source, extensions and lake; each finding has a remedy; exit 1 if one is an error')
    .action(
      bind(async (context) => {
        const config = context.config();
        const { checkConfig, checkLake, checkSource } = await import('../doctor-checks.ts');
        const findings = await withProgress(context, { label: 'examining', total: 3, unit: 'parts' }, async ({ update }) => {
          const found = checkConfig(config, context);
          update(1);
          found.push(...(await checkSource(config)));
          update(2);
          found.push(...(await checkLake(config, context.io)));
          return found;
        });
        const healthy = !findings.some(({ level }) => level === 'error');
        if (!healthy) context.exitCode = 1;
        await context.print({ ok: healthy, findings }, () => report(context, findings));
      }),
    );
};

const MARKS = { ok: ['green', 'ok     '], warning: ['yellow', 'warning'], error: ['red', 'error  '] } as const;

function report(context: Context, findings: readonly Finding[]): string {
  const { stdout } = context.io;
  const width = Math.max(...findings.map(({ check }) => check.length));
  const lines = findings.flatMap(({ level, check, message, remedy }) => {
    const [color, mark] = MARKS[level];
    const indent = ' '.repeat(mark.length + width + 4);
    const text = message.replaceAll('\n', `\n${indent}`);
    return [`${paint(stdout, color, mark)}  ${check.padEnd(width)}  ${text}`, ...(remedy === '' ? [] : [`${indent}→ ${remedy}`])];
  });
  const count = (level: Finding['level']) => findings.filter((finding) => finding.level === level).length;
  return [...lines, '', `${plural(count('error'), 'error')}, ${plural(count('warning'), 'warning')}`].join('\n');
}
