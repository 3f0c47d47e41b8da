import { attachStatement } from '../../src/lake/config.ts';
import { type Lab, withEngineOf } from '../lab.ts';
import type { Copy } from './sides.ts';

/** Of the source and of a copy, in one order. Sums do not depend on the order of rows: those of floating point are of whole numbers below 2^53. */
const SUMS = [
  'count(*)',
  'sum(id)',
  'sum(a)',
  'sum(b)',
  'sum(c)',
  'sum(length(d))',
  'sum(length(e))',
  'count(*) FILTER (WHERE g)',
  'sum(floor(h))::decimal(38, 0)',
  'min(i)::date',
  'max(i)::date',
  'min(d)',
  'max(e)',
].map((sum, at) => `(${sum})::text AS s${at}`);

const SOURCE = [
  ...SUMS,
  '(extract(epoch FROM min(f)) * 1000000)::bigint::text AS first',
  '(extract(epoch FROM max(f)) * 1000000)::bigint::text AS last',
];
const COPY = [...SUMS, 'epoch_us(min(f))::text AS first', 'epoch_us(max(f))::text AS last'];

/**
 * That a copy holds what public.wide holds.
 * @param where the rows of the copy that are not marked as deleted
 * @throws Error with both sides' counts and sums
 */
export async function assertCopied(lab: Lab, { lake, table }: Omit<Copy, 'command'>, where = 'true'): Promise<void> {
  const [source] = await lab.sql.unsafe(`SELECT ${SOURCE.join(', ')} FROM public.wide`);
  const copy = await withEngineOf(lab, async (engine) => {
    await engine.run(attachStatement(lake, 'read'));
    const [row] = await engine.rows(`SELECT ${COPY.join(', ')} FROM lake.${table} WHERE ${where}`);
    return row;
  });
  const [wanted, got] = [source, copy].map((row) => JSON.stringify(Object.entries(row ?? {})));
  if (wanted !== got) throw new Error(`a wrong copy: the source has\n${wanted}\nthe copy in ${table} has\n${got}`);
}
