import { median, spread } from './stats.ts';

const WHOLE = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
const SHORT = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });

/** Three digits, or all of a whole number: '0.0123', '4.57', '1,234,568'. */
export function formatNumber(value: number): string {
  if (!Number.isFinite(value)) return '–';
  return Math.abs(value) >= 100 ? WHOLE.format(value) : SHORT.format(value);
}

export function formatMedian(values: readonly number[]): string {
  return formatNumber(median(values));
}

/** '1.02 – 1.31': quartiles, or lowest and highest of few rounds; nothing of one round. */
export function formatSpread(values: readonly number[]): string {
  const found = spread(values);
  return found ? `${formatNumber(found.low)} – ${formatNumber(found.high)}` : '';
}

/** A size as people write it: '10k', '1M', '300'. */
export function formatSize(size: number): string {
  if (size >= 1e6) return `${size / 1e6}M`;
  return size >= 1e3 ? `${size / 1e3}k` : String(size);
}
