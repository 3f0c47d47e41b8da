const UNITS = ['b', 'k', 'm', 'g', 't'];
const FORM = /^(\d+(?:\.\d+)?)\s?([KMGT])(i?)B$/i;

/** Bytes of '384MB' or '2GiB', as DuckDB reads them: a kB is 1,000, a KiB 1,024. Undefined for anything else. */
export function parseSize(text: string): number | undefined {
  const [, amount, unit, binary] = FORM.exec(text) ?? [];
  if (amount === undefined || unit === undefined) return undefined;
  return Math.round(Number(amount) * (binary === '' ? 1000 : 1024) ** UNITS.indexOf(unit.toLowerCase()));
}
