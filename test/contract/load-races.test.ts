import { expect, test } from 'vitest';
import { MIRRORS, type Mirror, openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';
import { stepAll } from '../support/steps.ts';

const ask = (mirror: Mirror, mode: string) =>
  mirror.run(`SELECT audit.request_load(table_id, '${mode}') FROM audit.status WHERE table_name = 'item'`);

/** 120 rows of about 14 a page, 100 each: some ten chunks of a page. */
const ITEM = `CREATE TABLE item (id int PRIMARY KEY, balance int, v text) WITH (autovacuum_enabled = off);
  INSERT INTO item SELECT g, 100, repeat(chr(65 + g % 26), 500) FROM generate_series(1, 120) g`;

/** Of transactions that leave the total as it is. */
function randomDml(random: (below: number) => number): string {
  const [a, b, c] = [1 + random(130), 1 + random(130), 1 + random(130)];
  return [
    `UPDATE item SET balance = balance - 7 WHERE id = ${a} AND EXISTS (SELECT FROM item WHERE id = ${b}); UPDATE item SET balance = balance + 7 WHERE id = ${b} AND EXISTS (SELECT FROM item WHERE id = ${a})`,
    `UPDATE item SET v = repeat('x', 100 + ${random(1000)}) WHERE id BETWEEN ${a} AND ${a + 20}`,
    `UPDATE item SET id = 1000 + ${random(100000)} WHERE id = ${a}`,
    `UPDATE item SET id = CASE id WHEN ${a} THEN -1 ELSE ${a} END WHERE id IN (${a}, -1)`,
    `WITH gone AS (DELETE FROM item WHERE id = ${c} RETURNING *) UPDATE item SET balance = item.balance + gone.balance FROM gone WHERE item.id = (SELECT min(id) FROM item WHERE id > 0 AND id <> ${c})`,
    `INSERT INTO item SELECT g, 0, 'new' FROM generate_series(${c}, ${c + 10}) g ON CONFLICT DO NOTHING`,
    `DELETE FROM item WHERE balance = 0`,
    `VACUUM item`,
    `VACUUM FULL item`,
    `CREATE TEMP TABLE t AS TABLE item; TRUNCATE item; INSERT INTO item TABLE t; DROP TABLE t`,
    `ALTER TABLE item ADD COLUMN IF NOT EXISTS w int DEFAULT 5`,
    `ALTER TABLE item DROP COLUMN IF EXISTS w`,
    `ALTER TABLE item ALTER balance TYPE ${['int', 'bigint'][random(2)]}`,
    `ALTER TABLE item RENAME v TO vv; ALTER TABLE item RENAME vv TO v`,
    `DELETE FROM item WHERE id = -5; INSERT INTO item VALUES (-5, 0, 'again')`,
    `CLUSTER item USING item_pkey`,
  ][random(16)] as string;
}

const generator = (seed: number) => {
  let state = seed;
  return (below: number) => {
    state = (state * 1103515245 + 12345) % 2147483648;
    return Math.floor((state / 2147483648) * below);
  };
};

async function race(kind: (typeof MIRRORS)[number], mode: string, seed: number): Promise<void> {
  const random = generator(seed);
  const done: string[] = [];
  try {
    await using mirror = await openMirror(sharedPostgres(18), kind, { chunkRows: 20 });
    await mirror.run(ITEM);
    await mirror.track('item');
    if (mode !== 'fill') {
      await stepAll(mirror);
      await ask(mirror, mode);
    }
    const rate = 2 + random(6);
    await stepAll(mirror, async (count) => {
      if (count > 30 || random(rate) > 0) return;
      const text = randomDml(random);
      done.push(`${count}: ${text}`);
      if (/^(VACUUM|CLUSTER)/.test(text)) await mirror.run(text);
      else
        await mirror.sql.begin(async (tx) => {
          await tx.unsafe(text);
        });
    });
    await mirror.expectState('item');
    const cuts = await mirror.query("SELECT DISTINCT strftime(cut_ts, '%Y-%m-%dT%H:%M:%S.%fZ') AS cut FROM sluice.batch ORDER BY 1");
    const sums: unknown[] = [];
    for (const { cut } of cuts.slice(-8)) {
      const rows = await mirror
        .query('SELECT sum(balance)::INT AS s, count(*) - count(DISTINCT id) AS twice FROM public.item', String(cut))
        .catch((error) => {
          if (/does not exist/.test(String(error))) return [];
          throw error;
        });
      sums.push(...rows.map((row) => ({ ...row, cut: String(cut) })));
    }
    expect(sums.filter((row) => (row as { s: number }).s !== 12000 || (row as { twice: number }).twice !== 0)).toEqual([]);
    const last = cuts.at(-1);
    if (last)
      expect(await mirror.query('SELECT count(*) AS n FROM public.item', String(last.cut))).toEqual(
        await mirror.query('SELECT count(*) AS n FROM public.item'),
      );
    expect(
      await mirror.query("SELECT id FROM public_changes.item WHERE _op = 'R' GROUP BY id, _batch HAVING count(*) > 1"),
      'each R once',
    ).toEqual([]);
    expect(await mirror.query('SELECT * FROM sluice.load WHERE done_ts IS NULL')).toEqual([]);
    expect(await mirror.query('SELECT table_name, rows FROM sluice.watermark WHERE rows <> (SELECT count(*) FROM public.item)')).toEqual(
      [],
    );
  } catch (error) {
    throw new Error(`${kind}, ${mode}, seed ${seed}: ${done.join('\n')}\n${error instanceof Error ? error.stack : error}`, {
      cause: error,
    });
  }
}

const SEEDS = Number(process.env.SLUICE_RACES ?? 1);
const FIRST = Number(process.env.SLUICE_RACES_FROM ?? 1);
for (const kind of MIRRORS)
  for (const mode of ['fill', 'compare', 'full', 'reset', 'repair', 'verify'])
    test(`a load beside random changes: ${mode}, ${kind}`, { timeout: 600_000 }, async () => {
      for (let seed = FIRST; seed < FIRST + SEEDS; seed += 1) await race(kind, mode, seed);
    });
