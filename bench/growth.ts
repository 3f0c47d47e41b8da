import { formatNumber, formatSize } from './format.ts';
import type { Chart, Figure, Goal, Series } from './result.ts';
import { median, steepest } from './stats.ts';

/** What something cost by the size of what grows, one value a round. */
export type Costs = ReadonlyMap<number, number[]>;

export function costsOf(sizes: readonly number[]): Costs {
  return new Map(sizes.map((size) => [size, []]));
}

export function addCost(costs: Costs, size: number, cost: number): void {
  costs.get(size)?.push(cost);
}

/** @param label what a side is called after its size: 'rows' makes '10k rows' */
export function growthFigure(name: string, unit: string, label: string, costs: Costs): Figure {
  const sides = Object.fromEntries([...costs].map(([size, values]) => [`${formatSize(size)} ${label}`, values]));
  return { name, unit, sides };
}

/** How steep a line of proportional growth may look for noise: 12 % more at ten times the size. */
const LIMIT = 1.05;

/** That a cost grows at most in proportion. See `steepest` for what is looked at. */
export function growthGoal(text: string, costs: Costs): Goal {
  return { text: `${text}: steepest exponent between two sizes`, sense: 'at most', limit: LIMIT, unit: '', values: steepest(costs) };
}

/** Lines of several costs on logarithmic axes, and dashed how the last of the dearest would have come about in proportion to the size. */
export function growthChart(
  name: string,
  { title, x, y }: { title: string; x: string; y: string },
  lines: Readonly<Record<string, Costs>>,
): Chart {
  const series: Series[] = Object.entries(lines).map(([line, costs]) => ({
    name: line,
    points: [...costs].filter(([, values]) => values.length > 0).map(([size, values]) => [size, median(values)]),
  }));
  const ends = series.flatMap(({ points }) => points.slice(-1)).sort(([, a], [, b]) => b - a);
  const [largest, dearest] = ends[0] ?? [1, 1];
  const smallest = Math.min(...series.flatMap(({ points }) => points.map(([size]) => Number(size))));
  const proportional: Series = {
    name: 'in proportion',
    dashed: true,
    points: [
      [smallest, (dearest * smallest) / Number(largest)],
      [largest, dearest],
    ],
  };
  return {
    name,
    title,
    kind: 'line',
    x: { label: x, log: true },
    y: { label: y, log: true },
    series: [...series, proportional],
  };
}

/** What decides on growth, for the notes of a section. */
export const HOW_DECIDED = `Growth is decided by the steepest exponent between two neighbouring sizes, \`log(cost ratio) / log(size ratio)\`, median of rounds. A fixed part keeps it below 1
and can't hide anything at the sizes where it no longer counts; above 1 something grows faster than linearly. ${formatNumber(LIMIT)} allows for noise of 12 % in a tenfold.`;
