import { expect, test } from 'vitest';
import { openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';
import { CASES as ALL, SETUP } from './type-cases.ts';

/** A lone surrogate costs a captured row all its values: see the test in load.test.ts. */
const CASES = ALL.map((one) => ({ ...one, values: one.values.filter((value) => !value.includes('ud800')) }));

/** Invariant 3 and 7: what is read from a table is the same value as what is captured of it. */
test.each([
  ['auto', 'DuckDB file'],
  ['fifo', 'DuckDB file'],
  ['auto', 'DuckLake on SQLite'],
] as const)('values of every type, read by %s into a %s, are those that are captured', { timeout: 120_000 }, async (staging, kind) => {
  await using mirror = await openMirror(sharedPostgres(18), kind, { staging, chunkRows: 1 });
  const most = Math.max(...CASES.map(({ values }) => values.length));
  const row = (id: number, index: number) =>
    `(${[id, ...CASES.map(({ type, values }) => (values[index] === undefined ? 'NULL' : `'${values[index]?.replaceAll("'", "''")}'::${type}`))].join(', ')})`;
  await mirror.run(`${SETUP}; CREATE TABLE wide (id int PRIMARY KEY, ${CASES.map(({ type }, index) => `v${index} ${type}`).join(', ')})`);
  const insert = (offset: number) =>
    mirror.run(`INSERT INTO wide VALUES ${Array.from({ length: most + 1 }, (_, index) => row(offset + index, index)).join(', ')}`);
  await insert(0);
  const types = Object.fromEntries(CASES.flatMap(({ override }, index) => (override === undefined ? [] : [[`v${index}`, override]])));
  await mirror.sql`SELECT audit.track('wide', ${JSON.stringify({ types })}::text::jsonb)`;
  await insert(1000);
  await mirror.drain();
  expect(await mirror.query('SELECT count(*) AS n FROM public.wide')).toEqual([{ n: 2 * (most + 1) }]);
  for (const [index, { type, override, values }] of CASES.entries()) {
    const differing = await mirror.query(
      `SELECT a.id, a.v${index}::VARCHAR AS loaded, b.v${index}::VARCHAR AS captured FROM public.wide a JOIN public.wide b ON b.id = a.id + 1000
       WHERE a.v${index} IS DISTINCT FROM b.v${index}`,
    );
    expect(differing, `${type} ${override ?? ''}: ${values.join(' | ')}`).toEqual([]);
    const logged = await mirror.query(
      `SELECT a.id FROM public_changes.wide a JOIN public_changes.wide b ON b.id = a.id + 1000
       WHERE a._op = 'R' AND b._op = 'I' AND a.v${index} IS NOT DISTINCT FROM b.v${index}`,
    );
    expect(logged, `the log's ${type} ${override ?? ''}`).toHaveLength(most + 1);
  }
  const losses = 'SELECT column_name, count(*) AS n FROM sluice.loss WHERE cdc_seq';
  expect(await mirror.query(`${losses} < 0 GROUP BY 1 ORDER BY 1`)).toEqual(await mirror.query(`${losses} > 0 GROUP BY 1 ORDER BY 1`));
});
