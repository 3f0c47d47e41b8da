import { drainOnce } from '../src/daemon/index.ts';
import { openForQuery } from '../src/lake/index.ts';
import { median, timed, trackTable, withEngineOf, withLab } from './lab.ts';
import { fillWide, makeWide } from './wide.ts';

interface Compared {
  readonly typedMs: number;
  readonly jsonMs: number;
  readonly ratio: number;
}

/**
 * An as-of query on the typed history (`sluice query --at`) against the same asked of the JSON log, as who knows DuckDB would write it: the whole table
 * with all its columns, and one key. In the middle of `updates` + 1 batches that each touch every row. Milliseconds, alternating; opening the lake as of then
 * (`openMs`) is not counted.
 */
export function asof({
  rows = 200_000,
  updates = 20,
  rounds = 5,
} = {}): Promise<{ changes: number; openMs: number; whole: Compared; key: Compared }> {
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
      const compare = async (typed: string, json: string): Promise<Compared> => {
        const samples = { typed: [] as number[], json: [] as number[] };
        for (let round = 0; round <= rounds; round++) {
          const answers: string[] = [];
          for (const [name, text] of [['typed', typed] as const, ['json', json] as const]) {
            const ms = await timed(async () => answers.push(JSON.stringify((await then.query(text)).rows)));
            if (round > 0) samples[name].push(ms);
          }
          if (answers[0] !== answers[1]) throw new Error(`typed ${answers[0]}, JSON ${answers[1]}`);
        }
        const [typedMs, jsonMs] = [median(samples.typed), median(samples.json)];
        return { typedMs, jsonMs, ratio: jsonMs / typedMs };
      };
      const whole = await compare(ANSWER.replace('{rows}', 'public.wide'), ANSWER.replace('{rows}', fromJson(batch, '')));
      const one = `id = ${Math.floor(rows / 3)}`;
      const key = await compare(
        ANSWER.replace('{rows}', `(FROM public.wide WHERE ${one})`),
        ANSWER.replace('{rows}', fromJson(batch, `AND (data ->> '$.id')::BIGINT = ${Math.floor(rows / 3)}`)),
      );
      await then.close();
      return { changes: rows * (updates + 1), openMs, whole, key };
    });
  });
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
