import { drainOnce } from '../src/daemon/index.ts';
import { openForQuery } from '../src/lake/index.ts';
import { barChart } from './chart.ts';
import { timed, trackTable, withEngineOf, withLab } from './lab.ts';
import type { Figure, Goal, Scale, Section } from './result.ts';
import { ratios } from './stats.ts';
import { fillWide, makeWide } from './wide.ts';

/**
 * An as-of query on the typed history (`sluice query --at`) against the same asked of the JSON log, as who knows DuckDB would write it: the whole table
 * with all its columns, and one key. In the middle of `updates` + 1 batches that each touch every row. Milliseconds, alternating; opening the lake as of then
 * is not counted, and shown by itself.
 */
export function asof(scale: Scale): Promise<Section> {
  const { rows, updates, rounds } = scale === 'quick' ? { rows: 5_000, updates: 2, rounds: 1 } : { rows: 200_000, updates: 20, rounds: 5 };
  return withLab(async (lab) => {
    const { sql, composition } = lab;
    const { ports } = composition;
    await makeWide(sql);
    await trackTable(sql, 'wide');
    await fillWide(sql, { rows });
    await drainOnce({ ports, log: ports.log });
    for (let update = 0; update < updates; update++) {
      await sql`UPDATE wide SET a = a + 1, e = md5(e) || d`;
      await drainOnce({ ports, log: ports.log });
    }
    const batch = 1 + updates / 2;
    return withEngineOf(lab, async (engine, config) => {
      const now = await openForQuery(engine, config);
      const [cut] = (await now.query(`SELECT strftime(cut_ts, '%Y-%m-%dT%H:%M:%S.%fZ') AS cut FROM sluice.batch WHERE batch_id = ${batch}`))
        .rows;
      await now.close();
      let then = await openForQuery(engine, config, { at: String(cut?.cut) });
      await then.close();
      const openMs = await timed(async () => {
        then = await openForQuery(engine, config, { at: String(cut?.cut) });
      });
      const compare = async (name: string, typed: string, json: string): Promise<Figure> => {
        const samples = { 'typed history': [] as number[], 'JSON log': [] as number[] };
        for (let round = 0; round <= rounds; round++) {
          const answers: string[] = [];
          for (const [side, text] of [['typed history', typed] as const, ['JSON log', json] as const]) {
            const ms = await timed(async () => answers.push(JSON.stringify((await then.query(text)).rows)));
            if (round > 0) samples[side].push(ms);
          }
          if (answers[0] !== answers[1]) throw new Error(`typed ${answers[0]}, JSON ${answers[1]}`);
        }
        return { name, unit: 'ms', sides: samples, base: 'typed history' };
      };
      const whole = await compare(
        'Whole table as of then',
        ANSWER.replace('{rows}', 'public.wide'),
        ANSWER.replace('{rows}', fromJson(batch, '')),
      );
      const one = `id = ${Math.floor(rows / 3)}`;
      const key = await compare(
        'One key as of then',
        ANSWER.replace('{rows}', `(FROM public.wide WHERE ${one})`),
        ANSWER.replace('{rows}', fromJson(batch, `AND (data ->> '$.id')::BIGINT = ${Math.floor(rows / 3)}`)),
      );
      await then.close();
      return {
        name: 'asof',
        title: 'Asking for the past',
        about: `A table of ${rows.toLocaleString('en-US')} rows and ten columns, of which every row was changed by ${updates} more batches, asked for all its columns as of the
batch in the middle: of the typed history (\`sluice query --at\`), and of the log's JSON in the SQL that one would write without it.`,
        figures: [whole, key, { name: 'Opening the lake as of then', unit: 'ms', sides: { 'typed history': [openMs] } }],
        charts: [barChart('asof', 'A whole table as of then, ms', whole)],
        goals: [goal('typed history against JSON log, whole table', whole), goal('typed history against JSON log, one key', key)],
      };
    });
  });
}

function goal(text: string, { sides }: Figure): Goal {
  const values = ratios(sides['JSON log'] ?? [], sides['typed history'] ?? []);
  return { text, sense: 'at least', limit: 20, unit: '× faster', values };
}

/** Reads every column of every row and returns little. */
const ANSWER =
  'SELECT count(*) AS n, bit_xor(hash(w.id, w.a, w.b, w.c, w.d, w.e, w.f, w.g, w.h, w.i))::VARCHAR AS all_of_it FROM {rows} AS w';

/** The last change of each key up to the batch, and only these parsed. */
function fromJson(batch: number, filter: string): string {
  const structure =
    '{"id":"BIGINT","a":"INTEGER","b":"INTEGER","c":"DECIMAL(12,2)","d":"VARCHAR","e":"VARCHAR","f":"TIMESTAMPTZ","g":"BOOLEAN","h":"DOUBLE","i":"DATE"}';
  return `(SELECT unnest(from_json(data, '${structure}')) FROM (
    SELECT data, cdc_op FROM cdc WHERE table_schema = 'public' AND table_name = 'wide' AND batch_id <= ${batch} ${filter}
    QUALIFY row_number() OVER (PARTITION BY data ->> '$.id' ORDER BY batch_id DESC, cdc_seq DESC) = 1
  ) WHERE cdc_op <> 'D')`;
}
