import { pino } from 'pino';
import { drainOnce } from '../src/daemon/index.ts';
import { attachStatement } from '../src/lake/config.ts';
import { literal } from '../src/lake/sql.ts';
import type { LoadMode } from '../src/model/load.ts';
import { untrack } from '../src/source/index.ts';
import { barChart } from './chart.ts';
import { type Lab, peakOfDaemon, timed, trackTable, withEngineOf, withLab, withLake } from './lab.ts';
import type { Figure, Scale, Section } from './result.ts';
import { ratios } from './stats.ts';
import { fillWide, makeWide } from './wide.ts';

const SIDES = ['DuckDB CTAS', 'snapshot', 'verify', 'repair'] as const;
type Side = (typeof SIDES)[number];

/** Rows that the lake has lost before a repair. */
const LOST = 1_000;

/**
 * What loading a table costs: state and typed log of a table that was never loaded, against DuckDB's own `CREATE TABLE lake.t AS SELECT * FROM pg.t`, its verification,
 * and the repair of 1,000 rows. All in one run, alternating. Then once more by a daemon of its own, for its highest RSS.
 */
export function snapshot(scale: Scale): Promise<Section> {
  const { rows, rounds } = scale === 'quick' ? { rows: 50_000, rounds: 1 } : { rows: 10_000_000, rounds: 3 };
  return withLab(async (lab) => {
    const { sql } = lab;
    await makeWide(sql);
    for (let from = 1; from <= rows; from += 1_000_000) await fillWide(sql, { from, rows: Math.min(1_000_000, rows - from + 1) });
    await sql`VACUUM ANALYZE wide`;
    await lab.composition.ports.source.lead();
    const times: Record<Side, number[]> = { 'DuckDB CTAS': [], snapshot: [], verify: [], repair: [] };
    const repaired: number[] = [];
    for (let round = 0; round < rounds; round++) {
      times['DuckDB CTAS'].push(await createTableAs(lab));
      times.snapshot.push(await firstLoad(lab));
      times.verify.push(await asked(lab, 'verify'));
      await withLake(lab, async (lake) => {
        await lake.run(`DELETE FROM lake.public.wide WHERE id % ${Math.floor(rows / LOST)} = 7`);
      });
      times.repair.push(await asked(lab, 'compare'));
      const [load] = await withLake(lab, (lake) =>
        lake.rows('SELECT missing + different + extra AS n FROM lake.sluice.load ORDER BY done_ts DESC LIMIT 1'),
      );
      repaired.push(Number(load?.n));
    }
    await sql`SELECT audit.request_load(table_id, 'reset') FROM audit.tracked_table`;
    const rssMb = await peakOfDaemon(lab);
    const time: Figure = { name: 'Time', unit: 'ms', sides: times, base: 'DuckDB CTAS' };
    const perSecond = (side: Side) => times[side].map((ms) => (1000 * rows) / ms);
    const speed: Figure = { name: 'Speed', unit: 'rows/s', sides: Object.fromEntries(SIDES.map((side) => [side, perSecond(side)])) };
    return {
      name: 'snapshot',
      title: 'Loading, verifying and repairing a table',
      about: `A table of ${rows.toLocaleString('en-US')} rows and ten columns from PostgreSQL into a DuckLake: by DuckDB's own \`CREATE TABLE AS\` (a table), and by the first load of a tracked
table (its state and its typed log). Then a verification of every value, and the repair of ${LOST.toLocaleString('en-US')} rows that the state has lost. They take turns.`,
      figures: [time, speed, { name: 'Highest RSS of a daemon that loads it', unit: 'MB', sides: { snapshot: [rssMb] } }],
      charts: [barChart('snapshot', 'Time to load, verify and repair a table, ms', time)],
      goals: [
        {
          text: "snapshot into state and typed log, of the time of DuckDB's CTAS",
          sense: 'at most',
          limit: 1.2,
          unit: '×',
          values: ratios(times.snapshot, times['DuckDB CTAS']),
        },
        {
          text: 'verification, of the time of the snapshot',
          sense: 'at most',
          limit: 1.5,
          unit: '×',
          values: ratios(times.verify, times.snapshot),
        },
        {
          text: `rows that the repair of ${LOST.toLocaleString('en-US')} rows writes`,
          sense: 'at most',
          limit: LOST,
          unit: '',
          values: repaired,
        },
        { text: 'RSS of a daemon that loads a table', sense: 'at most', limit: 512, unit: 'MB', values: [rssMb] },
      ],
    };
  });
}

/** Of a table that is tracked anew: the lake holds nothing of it but its history. */
async function firstLoad(lab: Lab): Promise<number> {
  await untrack(lab.sql, [{ schema: 'public', name: 'wide' }]);
  await once(lab);
  await trackTable(lab.sql, 'wide');
  return timed(() => once(lab));
}

async function asked(lab: Lab, mode: LoadMode): Promise<number> {
  await lab.sql`SELECT audit.request_load(table_id, ${mode}) FROM audit.tracked_table`;
  return timed(() => once(lab));
}

function once({ composition: { ports } }: Lab): Promise<void> {
  return drainOnce({ ports, log: pino({ level: 'silent' }) });
}

/** Into the same lake, by an engine as ours is set up. */
function createTableAs(lab: Lab): Promise<number> {
  return withEngineOf(lab, async (engine, lake) => {
    await engine.run(attachStatement(lake, 'write'));
    await engine.run(`ATTACH ${literal(lab.url)} AS source (TYPE postgres, READ_ONLY)`);
    const ms = await timed(() => engine.run('CREATE TABLE lake.main.ctas AS SELECT * FROM source.public.wide'));
    await engine.run('DROP TABLE lake.main.ctas');
    return ms;
  });
}
