import { drainOnce } from '../src/daemon/index.ts';
import { median, timed, trackTable, withLab, withLake } from './lab.ts';
import { type Profiled, profiled } from './profile.ts';
import { fillWide, makeWide } from './wide.ts';

interface Cost {
  readonly ms: number;
  readonly cpuMs: number;
  readonly statements?: readonly Profiled[];
}

/**
 * What a small batch costs on a large state table against the same on a small one: UPDATEs of keys from all over the table, medians of wall clock and of
 * the process's CPU in milliseconds, alternating. The source has the updated rows only; the others are put into the state as batches of at most a
 * million rows would have left them.
 */
export function growth({
  small = 100_000,
  large = 10_000_000,
  changes = 1_000,
  rounds = 9,
  profile = process.argv.includes('--profile'),
} = {}): Promise<{ small: Cost; large: Cost; ratio: number; cpuRatio: number }> {
  return withLab(async (lab) => {
    const { sql, composition } = lab;
    const { ports } = composition;
    const drain = () => drainOnce({ ports, log: ports.log });
    const sizes = { small, large };
    for (const [name, size] of Object.entries(sizes)) {
      await makeWide(sql, name);
      await fillWide(sql, { table: name, from: 1, rows: changes, step: size / changes });
      await trackTable(sql, name);
      await sql`UPDATE ${sql(name)} SET a = a`;
    }
    await drain();
    await withLake(lab, async (lake) => {
      for (const [name, size] of Object.entries(sizes)) {
        for (let from = 0; from < size; from += 1_000_000) {
          await lake.run(
            `INSERT INTO lake.public.${name} SELECT g, g % 1000, g % 7, g * 0.37, 'customer ' || g, md5(g::VARCHAR) || md5((g + 1)::VARCHAR), now(), g % 2 = 0, g / 3.0, current_date
             FROM range(${from + 1}, ${Math.min(from + 1_000_000, size) + 1}) AS r(g) WHERE (g - 1) % ${size / changes} <> 0`,
          );
        }
      }
    });
    const samples: Record<'small' | 'large', Required<Cost>[]> = { small: [], large: [] };
    for (let round = 0; round <= rounds; round++) {
      for (const name of ['small', 'large'] as const) {
        await sql`UPDATE ${sql(name)} SET a = a + 1`;
        const cpu = process.cpuUsage();
        let statements: Profiled[] = [];
        const ms = await timed(async () => {
          statements = await profiled(drain);
        });
        const { user, system } = process.cpuUsage(cpu);
        if (round > 0) samples[name].push({ ms, cpuMs: (user + system) / 1000, statements });
      }
    }
    const cost = (all: readonly Required<Cost>[]): Cost => {
      const statements = all.at(-1)?.statements.filter(({ ms }) => ms > 2) ?? [];
      return { ms: median(all.map(({ ms }) => ms)), cpuMs: median(all.map(({ cpuMs }) => cpuMs)), ...(profile && { statements }) };
    };
    const [one, other] = [cost(samples.small), cost(samples.large)];
    return { small: one, large: other, ratio: other.ms / one.ms, cpuRatio: other.cpuMs / one.cpuMs };
  });
}
