const UNITS: Readonly<Record<string, number>> = { ms: 1, s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
const FORM = /^(\d+(?:\.\d+)?)(ms|s|m|h|d)$/;

/** Milliseconds of '50ms', '1s', '1.5s', '5m', '1h', '90d'; undefined for anything else. A unit is required: a bare 5 could mean either. */
export function parseDuration(text: string): number | undefined {
  const [, amount, unit] = FORM.exec(text.trim()) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  const ms = Math.round(Number(amount) * (UNITS[unit] ?? Number.NaN));
  return Number.isSafeInteger(ms) ? ms : undefined;
}

/** The shortest exact writing of a duration: 90000 → '90s', 60000 → '1m'. */
export function formatDuration(ms: number): string {
  for (const unit of ['d', 'h', 'm', 's'] as const) {
    const size = UNITS[unit] as number;
    if (ms >= size && ms % size === 0) return `${ms / size}${unit}`;
  }
  return `${ms}ms`;
}
