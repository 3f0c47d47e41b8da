import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { drawChart } from './chart.ts';
import { formatMedian, formatNumber, formatSpread } from './format.ts';
import type { Figure, Goal } from './result.ts';
import type { Machine, Run } from './run.ts';
import { median, ratios } from './stats.ts';

/** Write README.md and the charts into a folder. */
export async function writeReport(folder: string, runs: readonly Run[]): Promise<void> {
  const { markdown, charts } = renderReport(runs);
  await mkdir(folder, { recursive: true });
  await writeFile(join(folder, 'README.md'), markdown);
  for (const [name, svg] of charts) await writeFile(join(folder, `${name}.svg`), svg);
}

/**
 * The report in Markdown, and its charts as SVG by name.
 * @throws Error where two charts have one name
 */
export function renderReport(runs: readonly Run[]): { markdown: string; charts: ReadonlyMap<string, string> } {
  const charts = new Map<string, string>();
  for (const chart of runs.flatMap(({ section }) => section.charts)) {
    if (charts.has(chart.name)) throw new Error(`two charts are called ${chart.name}`);
    charts.set(chart.name, drawChart(chart));
  }
  const machines = new Set(runs.map(({ machine }) => describeMachine(machine)));
  const [only] = machines.size === 1 ? machines : [];
  const parts = [
    '# Benchmark',
    'Written by `npm run bench` out of [raw](raw); how to run and read it: [../README.md](../README.md). Do not edit.',
    ...(only === undefined ? [] : [`Machine: ${only}.`]),
    '## Goals',
    renderGoals(runs),
    ...runs.flatMap((run) => renderSection(run, only === undefined)),
  ];
  return { markdown: `${parts.join('\n\n')}\n`, charts };
}

/** A table of what suites owe, and whether they hold it; a quick run does not tell. */
export function renderGoals(runs: readonly Run[]): string {
  const head = ['suite', 'goal', 'limit', 'seen', 'spread', ''];
  return table(
    head,
    runs.flatMap((run) => run.section.goals.map((goal) => [run.section.name, ...goalCells(goal, run)])),
  );
}

function goalCells(goal: Goal, { scale }: Run): string[] {
  const { text, sense, limit, unit, values } = goal;
  const verdict = isReached(goal) ? 'reached' : '**not reached**';
  return [
    text,
    `${sense} ${withUnit(formatNumber(limit), unit)}`,
    withUnit(formatMedian(values), unit),
    formatSpread(values),
    scale === 'quick' ? 'not judged' : verdict,
  ];
}

/** The median counts; what was not measured is not reached. */
export function isReached({ sense, limit, values }: Goal): boolean {
  const seen = median(values);
  return sense === 'at most' ? seen <= limit : seen >= limit;
}

function renderSection(run: Run, withMachine: boolean): string[] {
  const { section, scale, command, date, seconds, commit, machine } = run;
  const made = [`\`${command}\``, date.slice(0, 16).replace('T', ' '), `${formatNumber(seconds)} s`];
  if (commit !== '') made.push(`commit ${commit}`);
  if (withMachine) made.push(describeMachine(machine));
  return [
    `## ${section.title}`,
    section.about,
    `Made by ${made.join(', ')}.`,
    ...(scale === 'quick' ? ['**Measured with `--quick`: it shows that everything runs, not how fast.**'] : []),
    ...(section.goals.length > 0
      ? [
          table(
            ['goal', 'limit', 'seen', 'spread', ''],
            section.goals.map((goal) => goalCells(goal, run)),
          ),
        ]
      : []),
    ...section.charts.map(({ name, title }) => `![${title}](${name}.svg)`),
    ...section.figures.map(renderFigure),
    ...(section.notes ?? []),
  ];
}

function renderFigure({ name, unit, sides, base }: Figure): string {
  const entries = Object.entries(sides);
  const several = entries.some(([, values]) => values.length > 1);
  const head = ['', unit === '' ? 'median' : `median, ${unit}`, ...(several ? ['spread'] : [])];
  if (base !== undefined) head.push(`× ${base}`, ...(several ? ['spread'] : []));
  const rows = entries.map(([side, values]) => {
    const cells = [side, formatMedian(values), ...(several ? [formatSpread(values)] : [])];
    if (base === undefined) return cells;
    if (side === base) return [...cells, '1', ...(several ? [''] : [])];
    const multiples = ratios(values, sides[base] ?? []);
    return [...cells, formatMedian(multiples), ...(several ? [formatSpread(multiples)] : [])];
  });
  const rounds = [...new Set(entries.map(([, values]) => values.length))].sort((a, b) => a - b);
  const counted = rounds.length === 1 ? `${rounds[0]} ${rounds[0] === 1 ? 'round' : 'rounds'}` : `${rounds[0]} to ${rounds.at(-1)} rounds`;
  return `**${name}** (${counted})\n\n${table(head, rows)}`;
}

function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]) => `| ${cells.map((cell) => cell.replaceAll('|', '\\|')).join(' | ')} |`;
  return [line(head), line(head.map(() => '---')), ...rows.map(line)].join('\n');
}

function withUnit(value: string, unit: string): string {
  if (unit === '') return value;
  return unit === '×' ? `${value}×` : `${value} ${unit}`;
}

function describeMachine({ cpu, cores, memoryGb, postgres, duckdb, node }: Machine): string {
  return `${cpu}, ${cores} cores, ${memoryGb} GB; PostgreSQL ${postgres}, DuckDB ${duckdb}, Node ${node}`;
}
