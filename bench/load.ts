import { pino } from 'pino';
import { drainOnce } from '../src/daemon/index.ts';
import { attachStatement } from '../src/lake/config.ts';
import { literal } from '../src/lake/sql.ts';
import type { LoadMode } from '../src/model/load.ts';
import { untrack } from '../src/source/index.ts';
import { type Lab, median, peakOfDaemon, timed, trackTable, withEngineOf, withLab, withLake } from './lab.ts';
import { fillWide, makeWide } from './wide.ts';

/** Milliseconds, and what they are of DuckDB's own CREATE TABLE AS in the same round. */
interface Timed {
  readonly ms: readonly number[];
  readonly ratio: number;
}

/**
 * What loading a table costs: state and typed log of a table that was never loaded, against DuckDB's own `CREATE TABLE lake.t AS SELECT * FROM pg.t`, its verification,
 * and the repair of 1,000 rows. All in one run, alternating. Then once more by a daemon of its own, whose highest RSS is `rssMb`.
 */
export function load({ rows = Number(process.env.SLUICE_BENCH_ROWS ?? 10_000_000), rounds = 3 } = {}): Promise<{
  rows: number;
  ctas: Timed;
  load: Timed;
  verify: Timed;
  repair: Timed & { readonly rowsWritten: number };
  rssMb: number;
}> {
  return withLab(async (lab) => {
    const { sql } = lab;
    await makeWide(sql);
    for (let from = 1; from <= rows; from += 1_000_000) await fillWide(sql, { from, rows: Math.min(1_000_000, rows - from + 1) });
    await sql`VACUUM ANALYZE wide`;
    await lab.composition.ports.source.lead();
    const times: Record<'ctas' | 'load' | 'verify' | 'repair', number[]> = { ctas: [], load: [], verify: [], repair: [] };
    let rowsWritten = 0;
    for (let round = 0; round < rounds; round++) {
      times.ctas.push(await createTableAs(lab));
      times.load.push(await firstLoad(lab));
      times.verify.push(await asked(lab, 'verify'));
      await withLake(lab, async (lake) => {
        await lake.run(`DELETE FROM lake.public.wide WHERE id % ${Math.floor(rows / 1000)} = 7`);
      });
      times.repair.push(await asked(lab, 'compare'));
      const [load] = await withLake(lab, (lake) =>
        lake.rows('SELECT missing + different + extra AS n FROM lake.sluice.load ORDER BY done_ts DESC LIMIT 1'),
      );
      rowsWritten = Number(load?.n);
    }
    const figure = (of: keyof typeof times): Timed => ({
      ms: times[of].map(Math.round),
      ratio: median(times[of].map((ms, round) => ms / (times.ctas[round] ?? Number.NaN))),
    });
    await sql`SELECT audit.request_load(table_id, 'reset') FROM audit.tracked_table`;
    const rssMb = await peakOfDaemon(lab);
    return {
      rows,
      ctas: figure('ctas'),
      load: figure('load'),
      verify: figure('verify'),
      repair: { ...figure('repair'), rowsWritten },
      rssMb,
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
