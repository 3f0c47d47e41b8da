import { barChart } from './chart.ts';
import { type Delivery, delivery as measure } from './delivery.ts';
import type { Figure, Goal, Scale, Section } from './result.ts';
import { ratios } from './stats.ts';

/** bench/delivery.ts as a section of the report. */
export async function delivery(scale: Scale): Promise<Section> {
  const { rows, inserts, changes, rssMb } = await measure(scale === 'quick' ? { rows: 20_000, rounds: 1 } : {});
  const figure = (name: string, { copyMs, logMs, drainMs }: Delivery): Figure => ({
    name,
    unit: 'ms',
    base: 'binary COPY',
    sides: { 'binary COPY': copyMs, 'to the log': logMs, 'to log, typed log and state': drainMs },
  });
  const goals = (name: string, { copyMs, drainMs }: Delivery): Goal[] => [
    { text: `${name}, of the binary COPY`, sense: 'at most', limit: 3.5, unit: '×', values: ratios(drainMs, copyMs) },
    { text: name, sense: 'at least', limit: 300_000, unit: 'changes/s', values: drainMs.map((ms) => (1000 * rows) / ms) },
  ];
  const [one, other] = [figure('A batch of INSERTs', inserts), figure('A batch of UPDATEs and DELETEs', changes)];
  return {
    name: 'delivery',
    title: 'Delivery of a full buffer',
    about: `${rows.toLocaleString('en-US')} changes wait; from the look at the buffer until the batch is done, against a binary COPY of the same rows to nothing.`,
    figures: [one, other],
    charts: [barChart('delivery', 'A batch of UPDATEs and DELETEs, ms', other)],
    goals: [
      ...goals('INSERTs to log, typed log and state', inserts),
      ...goals('UPDATEs and DELETEs to log, typed log and state', changes),
      { text: 'RSS of a daemon that drains a batch', sense: 'at most', limit: 512, unit: 'MB', values: [rssMb] },
    ],
  };
}
