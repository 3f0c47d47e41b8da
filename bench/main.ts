import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { Argument, Command } from 'commander';
import { renderGoals, writeReport } from './report.ts';
import { readRuns, thisCommit, thisMachine, writeRun } from './run.ts';
import { SUITES } from './suites.ts';

const NAMES = Object.keys(SUITES);

await new Command('bench')
  .description('Measure, and write the report anew from the last results of all suites.')
  .addArgument(new Argument('[suite...]', 'in the order of the list').choices(NAMES).default(NAMES))
  .option('--quick', 'seconds instead of minutes: shows that everything runs, not how fast; into a temporary folder')
  .option('--out <folder>', 'where results and report go')
  .action(run)
  .parseAsync();

/** Exit status 1 if a suite failed, whatever the figures are. Each suite is in the report as soon as it has ended, so one that fails later costs only itself. */
async function run(chosen: readonly string[], { quick = false, out }: { quick?: boolean; out?: string }): Promise<void> {
  const scale = quick ? 'quick' : 'full';
  const folder = out ?? (quick ? await mkdtemp(join(tmpdir(), 'sluice-bench-report-')) : join(import.meta.dirname, 'report'));
  const args = [...(chosen.length < NAMES.length ? chosen : []), ...(quick ? ['--quick'] : [])];
  const command = ['npm run bench', ...(args.length > 0 ? ['--', ...args] : [])].join(' ');
  const common = { scale, command, commit: thisCommit(), machine: thisMachine() } as const;
  const began = performance.now();
  const done: string[] = [];
  for (const [name, suite] of Object.entries(SUITES)) {
    if (!chosen.includes(name)) continue;
    process.stderr.write(`${name} … `);
    const started = performance.now();
    try {
      const section = await suite(scale);
      const seconds = Math.round((performance.now() - started) / 1000);
      await writeRun(folder, { section, ...common, date: new Date().toISOString(), seconds });
      await writeReport(folder, await readRuns(folder, NAMES));
      done.push(name);
      process.stderr.write(`${seconds} s\n`);
    } catch (error) {
      process.stderr.write('failed\n');
      console.error(error);
      process.exitCode = 1;
    }
  }
  process.stderr.write(`${Math.round((performance.now() - began) / 1000)} s in all\n`);
  const runs = await readRuns(folder, NAMES);
  console.log(renderGoals(runs.filter(({ section }) => done.includes(section.name))));
  console.log(`\nReport: ${relative(process.cwd(), join(folder, 'README.md'))}`);
}
