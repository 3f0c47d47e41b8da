import { drainOnce } from '../src/daemon/index.ts';
import { drain } from '../src/pipeline/index.ts';
import { formatSize } from './format.ts';
import { addCost, costsOf, growthChart, growthFigure, growthGoal, HOW_DECIDED } from './growth.ts';
import { lakeBytes, peakOfDaemon, spent, trackTable, withLab } from './lab.ts';
import type { Scale, Section } from './result.ts';
import { churnWide, makeWide } from './wide.ts';

/** What one batch costs by its number of changes: time and CPU of the drain, the highest RSS of a daemon of its own that drains it, and what the lake grows by. */
export function growthBatch(scale: Scale): Promise<Section> {
  const { sizes, rounds } =
    scale === 'quick' ? { sizes: [1_000, 10_000], rounds: 1 } : { sizes: [10_000, 100_000, 1_000_000, 10_000_000], rounds: 3 };
  return withLab(async (lab) => {
    const { sql, composition } = lab;
    const { ports } = composition;
    const tableOf = (size: number) => `batch_${size}`;
    const churn = (size: number, round: number) => churnWide(sql, { table: tableOf(size), changes: size, round });
    for (const size of sizes) {
      await makeWide(sql, tableOf(size));
      await trackTable(sql, tableOf(size));
    }
    // Loads of the tables, still empty, are no part of a batch.
    await drainOnce({ ports, log: ports.log });
    const [time, cpu, bytes, rss] = [costsOf(sizes), costsOf(sizes), costsOf(sizes), costsOf(sizes)];
    for (let round = 0; round <= rounds; round++) {
      for (const size of sizes) {
        await churn(size, round);
        const before = await lakeBytes(lab);
        const { ms, cpuMs } = await spent(() => drain(ports));
        // The first round warms caches, and makes the rows that the next one updates.
        if (round === 0) continue;
        addCost(time, size, ms);
        addCost(cpu, size, cpuMs);
        addCost(bytes, size, ((await lakeBytes(lab)) - before) / size);
      }
    }
    for (const size of sizes) {
      await churn(size, rounds + 1);
      addCost(rss, size, await peakOfDaemon(lab));
    }
    const largest = formatSize(sizes.at(-1) ?? 0);
    return {
      name: 'growth-batch',
      title: 'Growth: changes in a batch',
      about: `One batch of ${formatSize(sizes[0] ?? 0)} to ${largest} changes on a table of ten columns, half of them new rows, half UPDATEs of rows of the batch before; from the look at the
buffer until the batch is done at the source too. Sizes take turns, each on a table of its own.`,
      figures: [
        growthFigure('Time', 'ms', 'changes', time),
        growthFigure('CPU of the daemon', 'ms', 'changes', cpu),
        growthFigure('Highest RSS of a daemon that drains it', 'MB', 'changes', rss),
        growthFigure('Growth of the lake, a change', 'bytes', 'changes', bytes),
      ],
      charts: [
        growthChart(
          'growth-batch',
          { title: `Cost of a batch of up to ${largest} changes`, x: 'changes', y: 'ms' },
          { time, 'CPU of the daemon': cpu },
        ),
      ],
      goals: [
        growthGoal('time by changes in a batch', time),
        growthGoal('CPU by changes in a batch', cpu),
        {
          text: `RSS of a daemon, batch of ${largest} changes`,
          sense: 'at most',
          limit: 512,
          unit: 'MB',
          values: [...(rss.get(sizes.at(-1) ?? 0) ?? [])],
        },
      ],
      notes: [HOW_DECIDED],
    };
  });
}
