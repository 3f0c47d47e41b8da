/** Quantile `q` (0 to 1) of values in any order, interpolated between neighbours; NaN where there are none. */
export function quantile(values: readonly number[], q: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (sorted.length - 1) * q;
  const [low, high] = [sorted[Math.floor(at)], sorted[Math.ceil(at)]];
  return low === undefined || high === undefined ? Number.NaN : low + (high - low) * (at - Math.floor(at));
}

export function median(values: readonly number[]): number {
  return quantile(values, 0.5);
}

/** The least number of rounds of which quartiles say more than the lowest and the highest value. */
const ENOUGH = 5;

/** How far the values of several rounds lie apart: quartiles, or the lowest and the highest of fewer than five. Undefined: there is but one. */
export function spread(values: readonly number[]): { low: number; high: number; of: 'quartiles' | 'range' } | undefined {
  if (values.length < 2) return undefined;
  const [low, high] = values.length < ENOUGH ? [0, 1] : [0.25, 0.75];
  return { low: quantile(values, low), high: quantile(values, high), of: values.length < ENOUGH ? 'range' : 'quartiles' };
}

/** Values of one side as multiples of another's, round by round. */
export function ratios(values: readonly number[], base: readonly number[]): number[] {
  return values.slice(0, base.length).map((value, round) => value / (base[round] ?? Number.NaN));
}

/**
 * The steepest part of a growth: x in `cost ~ size^x` between the two neighbouring sizes where its median is highest, one value a round. A cost that is a
 * fixed part and one in proportion to the size comes close to 1 from below and never passes it, so whatever does grows faster than linearly, even where a
 * line fitted over all sizes would hide it behind the fixed part.
 * @param costs by size, one value a round; rounds that not all sizes have are left out
 */
export function steepest(costs: ReadonlyMap<number, readonly number[]>): number[] {
  const bySize = [...costs].sort(([a], [b]) => a - b);
  const slopes = bySize.slice(1).map(([size, values], at) => {
    const [smaller, before] = bySize[at] ?? [Number.NaN, []];
    return ratios(values, before).map((ratio) => Math.log(ratio) / Math.log(size / smaller));
  });
  return slopes.reduce((steeper, one) => (median(one) > median(steeper) ? one : steeper), slopes[0] ?? []);
}
