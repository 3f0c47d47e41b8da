import { drainOnce } from '../src/daemon/index.ts';
import { drain } from '../src/pipeline/index.ts';
import { track } from '../src/source/index.ts';
import type { TestPostgres } from '../test/support/postgres.ts';
import { addCost, costsOf, growthChart, growthFigure, growthGoal, HOW_DECIDED } from './growth.ts';
import { type Lab, startServer, timed, withLabOn } from './lab.ts';
import type { Scale, Section } from './result.ts';
import { churnWide, makeWide } from './wide.ts';

const CHANGES = 1_000;

/** The most tables that the changes of one batch are spread over. */
const SPREAD = 100;

/** Ids from here on belong to the batches over one table. */
const APART = 1_000_000;

/** Looks at an empty buffer that one value is the mean of. */
const LOOKS = 20;

/**
 * What tracked tables cost, by their number: a look at an empty buffer, the look at all tables' definitions that comes every ten seconds, a batch of 1,000
 * changes over one table and over a hundred (or all, if fewer are tracked), and taking them all in. A lake and a database for each number, on one server.
 */
export async function growthTables(scale: Scale): Promise<Section> {
  const { sizes, rounds } = scale === 'quick' ? { sizes: [1, 5], rounds: 1 } : { sizes: [1, 10, 100, 1_000], rounds: 7 };
  await using server = await startServer();
  return await withLabs(server, sizes.length, async (labs) => {
    const costs = () => costsOf(sizes);
    const [tracking, loading, look, definitions, one, many] = [costs(), costs(), costs(), costs(), costs(), costs()];
    const each = async (work: (lab: Lab, tables: number) => Promise<void>) => {
      for (const [at, lab] of labs.entries()) await work(lab, sizes[at] ?? Number.NaN);
    };
    await each(async (lab, tables) => {
      for (let table = 0; table < tables; table++) await makeWide(lab.sql, nameOf(table));
      const names = Array.from({ length: tables }, (_, table) => ({ schema: 'public', name: nameOf(table) }));
      addCost(tracking, tables, await timed(() => track(lab.sql, names)));
      const { ports } = lab.composition;
      addCost(loading, tables, await timed(() => drainOnce({ ports, log: ports.log })));
    });
    for (let round = 0; round <= rounds; round++) {
      // The first round warms caches, and makes the rows that the next one updates.
      const add: typeof addCost = (...args) => round > 0 && addCost(...args);
      await each(async (lab, tables) => {
        const { ports } = lab.composition;
        add(look, tables, (await timed(() => looks(lab))) / LOOKS);
        add(definitions, tables, await timed(() => drain(ports, { watchNow: true })));
        await churnWide(lab.sql, { table: nameOf(0), changes: CHANGES, round, first: APART });
        add(one, tables, await timed(() => drain(ports)));
        await churnAll(lab, Math.min(tables, SPREAD), round);
        add(many, tables, await timed(() => drain(ports)));
      });
    }
    return {
      name: 'growth-tables',
      title: 'Growth: tracked tables',
      about: `1 to ${sizes.at(-1)?.toLocaleString('en-US')} tracked tables of ten columns. A look at an empty buffer (each interval); a look at the definitions of all tables (every ten seconds, for DDL); a batch of
${CHANGES.toLocaleString('en-US')} changes of one table and one of ${SPREAD} tables (of all, where fewer are tracked), half of them new rows, half UPDATEs; tracking them all, with the first load of
each, still empty. Each number has a database and a lake of its own on one server; they take turns.`,
      figures: [
        growthFigure('Look at an empty buffer', 'ms', 'tables', look),
        growthFigure('Look at all definitions', 'ms', 'tables', definitions),
        growthFigure('Batch over one table', 'ms', 'tables', one),
        growthFigure(`Batch over ${SPREAD} tables, or all`, 'ms', 'tables', many),
        growthFigure('Tracking', 'ms', 'tables', tracking),
        growthFigure('First loads', 'ms', 'tables', loading),
      ],
      charts: [
        growthChart(
          'growth-tables',
          { title: 'Cost by tracked tables', x: 'tracked tables', y: 'ms' },
          {
            'look at an empty buffer': look,
            'look at all definitions': definitions,
            'batch over one table': one,
            [`batch over ${SPREAD} tables, or all`]: many,
            tracking,
            'first loads': loading,
          },
        ),
      ],
      goals: [
        growthGoal('look at an empty buffer by tracked tables', look),
        growthGoal('look at all definitions by tracked tables', definitions),
        growthGoal('batch over one table by tracked tables', one),
        growthGoal(`batch over ${SPREAD} tables by tracked tables`, many),
        growthGoal('tracking by tables', tracking),
        growthGoal('first loads by tables', loading),
      ],
      notes: [HOW_DECIDED],
    };
  });
}

function withLabs<T>(
  server: TestPostgres,
  count: number,
  work: (labs: readonly Lab[]) => Promise<T>,
  labs: readonly Lab[] = [],
): Promise<T> {
  if (count === 0) return work(labs);
  return withLabOn(server, (lab) => withLabs(server, count - 1, work, [...labs, lab]));
}

async function looks({ composition: { ports } }: Lab): Promise<void> {
  for (let look = 0; look < LOOKS; look++) await drain(ports);
}

/** The changes of one batch, over the first `tables` tables. */
async function churnAll({ sql }: Lab, tables: number, round: number): Promise<void> {
  for (let table = 0; table < tables; table++) await churnWide(sql, { table: nameOf(table), changes: CHANGES / tables, round });
}

function nameOf(table: number): string {
  return `table_${table}`;
}
