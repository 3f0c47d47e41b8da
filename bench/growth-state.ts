import { drainOnce } from '../src/daemon/index.ts';
import { drain } from '../src/pipeline/index.ts';
import { formatSize } from './format.ts';
import { addCost, costsOf, growthChart, growthFigure, growthGoal, HOW_DECIDED } from './growth.ts';
import { type Lab, spent, trackTable, withLab, withLake } from './lab.ts';
import { type Profiled, profiled } from './profile.ts';
import type { Scale, Section } from './result.ts';
import { fillWide, makeWide } from './wide.ts';

const CHANGES = 1_000;

/**
 * What a small batch costs on state tables from small to large: UPDATEs of keys from all over the table, wall clock and the process's CPU in milliseconds,
 * alternating. The source has the updated rows only; the others are put into the state as batches of at most a million rows would have left them.
 */
export function growthState(scale: Scale): Promise<Section> {
  const { sizes, rounds } =
    scale === 'quick'
      ? { sizes: [1_000, 10_000], rounds: 1 }
      : { sizes: [1_000, 10_000, 100_000, 1_000_000, 10_000_000, 100_000_000], rounds: 7 };
  return withLab(async (lab) => {
    const { sql, composition } = lab;
    const { ports } = composition;
    for (const size of sizes) {
      const table = tableOf(size);
      await makeWide(sql, table);
      await fillWide(sql, { table, from: 1, rows: CHANGES, step: size / CHANGES });
      await trackTable(sql, table);
    }
    // Their first loads.
    await drainOnce({ ports, log: ports.log });
    for (const size of sizes) await fillState(lab, size);
    const [time, cpu] = [costsOf(sizes), costsOf(sizes)];
    let last: readonly Profiled[] = [];
    for (let round = 0; round <= rounds; round++) {
      for (const size of sizes) {
        await sql`UPDATE ${sql(tableOf(size))} SET a = a + 1`;
        const { ms, cpuMs } = await spent(async () => {
          last = await profiled(() => drain(ports));
        });
        if (round === 0) continue;
        addCost(time, size, ms);
        addCost(cpu, size, cpuMs);
      }
    }
    const [smallest, largest] = [sizes[0] ?? 0, sizes.at(-1) ?? 0];
    return {
      name: 'growth-state',
      title: 'Growth: rows of the state',
      about: `A batch of ${CHANGES.toLocaleString('en-US')} UPDATEs of keys from all over a table of ten columns, on states of ${formatSize(smallest)} to ${formatSize(largest)} rows; from the look at the buffer until
the batch is done at the source too. Sizes take turns.`,
      figures: [growthFigure('Time', 'ms', 'rows', time), growthFigure('CPU of the daemon', 'ms', 'rows', cpu)],
      charts: [
        growthChart(
          'growth-state',
          {
            title: `A batch of ${CHANGES.toLocaleString('en-US')} UPDATEs on a state of up to ${formatSize(largest)} rows`,
            x: 'rows of the state',
            y: 'ms',
          },
          { time, 'CPU of the daemon': cpu },
        ),
      ],
      goals: [growthGoal('time of a small batch by rows of the state', time), growthGoal('CPU of a small batch by rows of the state', cpu)],
      notes: [
        HOW_DECIDED,
        `What the engine ran for the last batch on ${formatSize(largest)} rows, where it took 2 ms or more:\n\n${listed(last)}`,
      ],
    };
  });
}

function tableOf(size: number): string {
  return `state_${size}`;
}

function fillState(lab: Lab, size: number): Promise<void> {
  return withLake(lab, async (lake) => {
    for (let from = 0; from < size; from += 1_000_000) {
      await lake.run(
        `INSERT INTO lake.public.${tableOf(size)} SELECT g, g % 1000, g % 7, g * 0.37, 'customer ' || g, md5(g::VARCHAR) || md5((g + 1)::VARCHAR), now(), g % 2 = 0, g / 3.0, current_date
         FROM range(${from + 1}, ${Math.min(from + 1_000_000, size) + 1}) AS r(g) WHERE (g - 1) % ${size / CHANGES} <> 0`,
      );
    }
  });
}

function listed(statements: readonly Profiled[]): string {
  const lines = statements
    .filter(({ ms }) => ms >= 2)
    .map(({ sql, ms }) => `${ms.toFixed(1).padStart(8)} ms  ${sql.replace(/postgres:[^ ']*/g, 'postgres:…')}`);
  return `\`\`\`\n${lines.join('\n')}\n\`\`\``;
}
