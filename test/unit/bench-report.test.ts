import { describe, expect, it } from 'vitest';
import { barChart, drawChart } from '../../bench/chart.ts';
import { growthChart, growthGoal } from '../../bench/growth.ts';
import { isReached, renderReport } from '../../bench/report.ts';
import type { Chart, Figure, Goal, Section } from '../../bench/result.ts';
import type { Run } from '../../bench/run.ts';
import { median, quantile, ratios, spread, steepest } from '../../bench/stats.ts';

describe('statistics', () => {
  it('interpolate quantiles between neighbours, in any order', () => {
    expect(quantile([40, 10, 30, 20], 0.5)).toBe(25);
    expect(quantile([0, 10, 20, 30, 40], 0.25)).toBe(10);
    expect([quantile([3, 1, 2], 0), quantile([3, 1, 2], 1)]).toEqual([1, 3]);
    expect(median([])).toBeNaN();
  });

  it('tell quartiles of many rounds, lowest and highest of few, nothing of one', () => {
    expect(spread([0, 10, 20, 30, 1000])).toEqual({ low: 10, high: 30, of: 'quartiles' });
    expect(spread([3, 1, 2])).toEqual({ low: 1, high: 3, of: 'range' });
    expect(spread([7])).toBeUndefined();
  });

  it('divide round by round, as far as both sides go', () => {
    expect(ratios([2, 9, 100], [1, 3])).toEqual([2, 3]);
  });
});

describe('growth', () => {
  const sizes = [10, 100, 1_000, 10_000];
  const goalOf = (cost: (size: number) => number) =>
    growthGoal('cost', new Map(sizes.map((size) => [size, [cost(size), cost(size) * 1.02]])));

  it('in proportion is reached, with a fixed part too', () => {
    expect(isReached(goalOf((size) => size))).toBe(true);
    expect(isReached(goalOf((size) => 5_000 + size))).toBe(true);
    expect(median(goalOf((size) => size).values)).toBeCloseTo(1);
  });

  it('faster than that is not, though a fixed part hides it at most sizes', () => {
    expect(isReached(goalOf((size) => size ** 1.2))).toBe(false);
    expect(isReached(goalOf((size) => 50_000 + size ** 2))).toBe(false);
  });

  it('is told by the steepest part, a value a round', () => {
    const costs = new Map([
      [1, [1, 1]],
      [10, [1, 1]],
      [100, [100, 1_000]],
    ]);
    expect(steepest(costs)).toEqual([2, expect.closeTo(3)]);
  });
});

describe('the report', () => {
  const time: Figure = { name: 'Time', unit: 'ms', base: 'floor', sides: { floor: [10, 20, 40], 'ours | mine': [20, 30, 160] } };
  const goals: Goal[] = [
    { text: 'of the floor', sense: 'at most', limit: 2, unit: '×', values: [2, 1.5, 4] },
    { text: 'speed', sense: 'at least', limit: 300_000, unit: 'changes/s', values: [299_000] },
  ];
  const section: Section = {
    name: 'one',
    title: 'The first',
    about: 'What was done.',
    figures: [time],
    charts: [barChart('one', 'Time, ms', time)],
    goals,
    notes: ['A note.'],
  };
  const machine = { cpu: 'a CPU', cores: 2, memoryGb: 8, postgres: '18.4', duckdb: '1.5.5', node: '24.9.0' };
  const run: Run = {
    section,
    scale: 'full',
    command: 'npm run bench',
    date: '2026-03-03T12:34:56.789Z',
    seconds: 65,
    commit: 'abc1234',
    machine,
  };
  const { markdown, charts } = renderReport([run]);

  it('shows medians, spread, and ratios of rounds, which are not the ratio of medians', () => {
    expect(markdown).toContain('| floor | 20 | 10 – 40 | 1 |  |');
    expect(markdown).toContain('| ours \\| mine | 30 | 20 – 160 | 2 | 1.5 – 4 |');
    expect(markdown).toContain('**Time** (3 rounds)');
  });

  it('says of each goal whether its median reaches it, above all and in its section', () => {
    const rows = markdown.split('\n').filter((line) => line.includes('of the floor') || line.includes('speed'));
    expect(rows).toEqual([
      '| one | of the floor | at most 2× | 2× | 1.5 – 4 | reached |',
      '| one | speed | at least 300,000 changes/s | 299,000 changes/s |  | **not reached** |',
      '| of the floor | at most 2× | 2× | 1.5 – 4 | reached |',
      '| speed | at least 300,000 changes/s | 299,000 changes/s |  | **not reached** |',
    ]);
    expect(isReached({ ...(goals[0] as Goal), values: [] })).toBe(false);
  });

  it('names the command, the commit and the machine, which it repeats only where they differ', () => {
    expect(markdown).toContain('Made by `npm run bench`, 2026-03-03 12:34, 65 s, commit abc1234.');
    expect(markdown.split('a CPU, 2 cores')).toHaveLength(2);
    const other: Run = { ...run, section: { ...section, name: 'two', charts: [] }, machine: { ...machine, cpu: 'another CPU' } };
    expect(renderReport([run, other]).markdown).toMatch(/Made by [^\n]* a CPU,[\s\S]*Made by [^\n]* another CPU,/);
  });

  it('judges nothing by a quick run', () => {
    const quick = renderReport([{ ...run, scale: 'quick' }]).markdown;
    expect(quick).toContain('not judged');
    expect(quick).not.toMatch(/\breached\b/);
  });

  it('shows each chart, of which no two have one name', () => {
    expect(markdown).toContain('![Time, ms](one.svg)');
    expect([...charts.keys()]).toEqual(['one']);
    expect(() => renderReport([run, run])).toThrow('two charts are called one');
  });
});

describe('a chart', () => {
  const bars: Chart = {
    name: 'bars',
    title: 'Bars & <more>',
    kind: 'bar',
    x: { label: '' },
    y: { label: 'ms' },
    series: [
      {
        name: 'first',
        points: [
          ['a side with a long name, read whole', 1_234_567],
          ['other', 3],
        ],
      },
      { name: 'second', points: [['other', 5]] },
    ],
  };
  const costs = (factor: number) => new Map([1_000, 100_000, 10_000_000].map((size) => [size, [size * factor]]));
  const lines = growthChart('lines', { title: 'Lines', x: 'rows', y: 'ms' }, { one: costs(0.001), other: costs(0.002) });

  it.each([bars, lines])('is an SVG of its own with text as text: $name', (chart) => {
    const svg = drawChart(chart);
    expect(unclosed(svg)).toEqual([]);
    expect(svg).toMatch(/^<svg [^>]*xmlns="http:\/\/www.w3.org\/2000\/svg"/);
    const texts = [...svg.matchAll(/<text[^>]*>([^<]*)<\/text>/g)].map(([, text]) => text);
    expect(texts).toEqual(expect.arrayContaining([chart.title.replace('&', '&amp;').replace('<', '&lt;').replace('>', '&gt;'), 'ms']));
    expect(texts).toEqual(expect.arrayContaining(chart.series.map(({ name }) => name)));
  });

  it('labels bars by side and value, lines by size', () => {
    expect(drawChart(bars)).toContain('>a side with a long name, read whole<');
    expect(drawChart(bars)).toContain('>1,234,567<');
    expect(drawChart(lines)).toContain('>10M<');
  });

  it('depends on nothing drawn before it', () => {
    const first = drawChart(bars);
    drawChart(lines);
    expect(drawChart(bars)).toBe(first);
  });
});

/** Tags that do not fit each other; none: it is well-formed, as far as tags go. */
function unclosed(xml: string): string[] {
  const open: string[] = [];
  for (const [, closing, name = '', alone] of xml.matchAll(/<(\/)?([a-zA-Z]+)(?:\s[^<>]*?)?(\/)?>/g)) {
    if (closing && open.pop() !== name) return [`</${name}>`];
    if (!closing && !alone) open.push(name);
  }
  return open;
}
