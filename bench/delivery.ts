import { drainOnce } from '../src/daemon/index.ts';
import { track } from '../src/source/index.ts';
import { median, timed, withLab } from './lab.ts';

/**
 * How long a full buffer takes to reach main.cdc of a DuckLake, against the floor: PostgreSQL's own binary COPY of the same rows to
 * nothing. Both in one run, alternating.
 */
export function delivery({
  rows = 1_000_000,
  rounds = 3,
} = {}): Promise<{ rows: number; copyMs: number[]; drainMs: number[]; ratio: number; rssMb: number }> {
  return withLab(async ({ sql, composition: { ports } }) => {
    await sql`CREATE TABLE wide (id bigint PRIMARY KEY, a int, b int, c numeric(12, 2), d text, e text, f timestamptz, g boolean, h double precision, i date)`;
    await track(sql, [{ schema: 'public', name: 'wide' }]);
    const copyMs: number[] = [];
    const drainMs: number[] = [];
    for (let round = 0; round <= rounds; round++) {
      await sql`
        INSERT INTO wide SELECT g, g % 1000, g % 7, g * 0.37, 'customer ' || g, md5(g::text) || md5((g + 1)::text), now(), g % 2 = 0, g / 3.0, current_date
        FROM generate_series(${round * rows + 1}::bigint, ${(round + 1) * rows}::bigint) g`;
      const copy = await timed(
        () =>
          sql`COPY (SELECT cdc_seq, cdc_xid::text::int8, cdc_ts, cdc_op::text, table_id, data::text FROM audit.cdc) TO '/dev/null' (FORMAT binary)`,
      );
      const drain = await timed(() => drainOnce({ ports, log: ports.log }));
      // The first round warms caches and makes the lake's tables.
      if (round > 0) {
        copyMs.push(copy);
        drainMs.push(drain);
      }
    }
    const ratio = median(drainMs.map((ms, at) => ms / (copyMs[at] ?? Number.NaN)));
    return { rows, copyMs, drainMs, ratio, rssMb: Math.round(process.resourceUsage().maxRSS / 1024) };
  });
}
