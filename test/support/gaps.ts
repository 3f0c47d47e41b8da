import { expect } from 'vitest';
import type { Sql } from '../../src/source/index.ts';
import type { Deployment } from './deployment.ts';
import { expectStateEqualsTable } from './state.ts';
import { until } from './until.ts';

export interface NotedGap {
  readonly cause: string;
  readonly from_ts: string;
  readonly to_ts: string;
  readonly noted_ts: string;
  readonly closed_ts: string | null;
  readonly after_xid: number | null;
  readonly after_batch: number;
}

const GAPS = 'SELECT cause, from_ts, to_ts, noted_ts, closed_ts, after_xid, after_batch FROM sluice.gap ORDER BY noted_ts';

/** The gaps of a lake, in the order in which they were noted. */
export async function gapsOf(lake: Deployment): Promise<NotedGap[]> {
  return (await lake.reading((query) => query(GAPS))) as unknown as NotedGap[];
}

/**
 * These gaps have been noted and no others, each with a span that begins at or before the time given with it, ends after it, and waits for the transactions
 * of then; each is repaired, unless it is to be open. What the application writes from now on is delivered, and the state equals the table.
 */
export async function expectGaps(
  lake: Deployment,
  expected: readonly { cause: string; around: Date; open?: boolean }[],
  sql: Sql = lake.sql,
): Promise<void> {
  const [first] = await sql`INSERT INTO item (v) VALUES ('after the gap') RETURNING id`;
  await lake.ok('run', '--once');
  // What is written before a daemon leads may have a number that a lost change had; from then on none is given twice.
  const [last] = await sql`INSERT INTO item (v) VALUES ('later') RETURNING id`;
  await lake.ok('run', '--once');
  await lake.reading(async (query) => {
    const gaps = (await query(GAPS)) as unknown as NotedGap[];
    expect(gaps.map(({ cause }) => cause)).toEqual(expected.map(({ cause }) => cause));
    for (const [index, { around, open = false }] of expected.entries()) {
      expect(Date.parse(gaps[index]?.from_ts ?? '')).toBeLessThanOrEqual(around.getTime());
      expect(Date.parse(gaps[index]?.to_ts ?? '')).toBeGreaterThanOrEqual(around.getTime());
      expect(gaps[index]?.after_xid).toBeGreaterThan(0);
      expect(gaps[index]?.closed_ts === null, `gap ${index} is open`).toBe(open);
    }
    const changes = await query(`SELECT (data ->> 'id')::INT AS id, cdc_seq >= max(cdc_seq) OVER () AS highest FROM main.cdc
      WHERE table_name = 'item' ORDER BY batch_id DESC, cdc_seq DESC LIMIT 2`);
    expect(changes).toEqual([
      { id: last?.id, highest: true },
      { id: first?.id, highest: false },
    ]);
    if (expected.every(({ open }) => !open)) await expectStateEqualsTable(sql, query, 'public', 'item');
  });
}

/** The source's clock, for a span to be held against. */
export async function now(sql: Sql): Promise<Date> {
  return (await sql`SELECT clock_timestamp() AS now`)[0]?.now;
}

/** A pool notices one by one that its connections died with the server. */
export async function reconnected(sql: Sql): Promise<void> {
  let answers = 0;
  await until('the server answers again', async () => {
    answers = await sql`SELECT 1`.then(
      () => answers + 1,
      () => 0,
    );
    return answers > 4;
  });
}

/** A tracked table `item` with a delivered row. */
export async function begin(lake: Deployment): Promise<void> {
  await lake.sql`CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)`;
  await lake.ok('install');
  await lake.ok('track', 'public.*');
  await deliver(lake, 'first');
}

/** Write a row and bring it to the lake: one batch. */
export async function deliver(lake: Deployment, v: string): Promise<void> {
  await lake.sql`INSERT INTO item (v) VALUES (${v})`;
  await lake.ok('run', '--once');
}
