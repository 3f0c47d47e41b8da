import { describe, expect, test } from 'vitest';
import { MIRRORS, openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';

const ACCOUNTS = 20;

describe.each(MIRRORS)('as of: %s', (kind) => {
  test('a bank whose total is constant shows it at any time, and its history has neither overlap nor hole', {
    timeout: 120_000,
  }, async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run(
      'CREATE TABLE account (id int PRIMARY KEY, balance int NOT NULL); CREATE TABLE transfer (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount int)',
    );
    await mirror.track('account', 'transfer');
    await mirror.run(`INSERT INTO account SELECT g, 100 FROM generate_series(1, ${ACCOUNTS}) g`);
    await mirror.drain();
    const started = Date.now();
    let stop = false;
    let transfers = 0;
    const random = (below: number) => Math.floor(Math.random() * below);
    const work = async () => {
      while (!stop) {
        const [a, b, amount] = [1 + random(ACCOUNTS), 1 + random(ACCOUNTS), random(50)];
        await mirror.sql
          .begin(async (tx) => {
            const taken = await tx`UPDATE account SET balance = balance - ${amount} WHERE id IN (${a}, ${a + 1000})`;
            if (taken.count !== 1) throw new Error('undo');
            await tx`INSERT INTO transfer (amount) VALUES (${amount})`;
            // An account that is closed and opened again under its number, with what it had.
            if (random(5) === 0)
              await tx`WITH gone AS (DELETE FROM account WHERE id = ${b} RETURNING *) INSERT INTO account SELECT id + 1000, balance FROM gone`;
            if (random(5) === 0) await tx`UPDATE account SET id = id - 1000 WHERE id = ${b + 1000}`;
            const moved = await tx`UPDATE account SET balance = balance + ${amount} WHERE id IN (${b}, ${b + 1000})`;
            if (moved.count !== 1) throw new Error('undo');
          })
          .then(
            () => (transfers += 1),
            (error: Error) => {
              if (!/undo|deadlock|duplicate/.test(error.message)) throw error;
            },
          );
      }
    };
    const workers = [work(), work()];
    while (Date.now() - started < 5_000) await mirror.drain();
    stop = true;
    await Promise.all(workers);
    await mirror.drain();
    expect(transfers).toBeGreaterThan(50);
    await mirror.expectState('account', 'transfer');

    // Before its first load was complete a table had no state.
    const [span] = await mirror.query(
      "SELECT epoch_ms(max(cut_ts) FILTER (kind = 'load')) AS first, epoch_ms(max(cut_ts)) AS last, count(*) AS batches FROM sluice.batch",
    );
    expect(Number(span?.batches)).toBeGreaterThan(5);
    const sums = new Set<unknown>();
    const times = [
      ...new Set(
        Array.from({ length: 100 }, () =>
          new Date(Number(span?.first) + 1 + random(Number(span?.last) - Number(span?.first))).toISOString(),
        ),
      ),
    ];
    const total = 'sum(balance)::INTEGER AS total, count(*) AS n';
    const list = times.map((at) => `'${at}'`).join(', ');
    const seen = await mirror.query(`SELECT ${total} FROM (SELECT unnest([${list}]::TIMESTAMPTZ[]) AS at) AS q
      JOIN public_history.account AS h ON h.valid_from <= q.at AND (h.valid_to > q.at OR h.valid_to IS NULL) GROUP BY q.at`);
    expect(seen).toHaveLength(times.length);
    for (const row of seen) sums.add(JSON.stringify(row));
    for (const at of times.slice(0, 5)) {
      for (const [sql, time] of [
        [`SELECT ${total} FROM public.account`, at],
        [`SELECT ${total} FROM public_history.account_at('${at}')`, undefined],
        [`SELECT ${total} FROM public_history.account WHERE is_current AND valid_to IS NULL`, at],
      ] as const) {
        const [row] = await mirror.query(sql, time);
        sums.add(JSON.stringify(row));
      }
    }
    expect([...sums]).toEqual([JSON.stringify({ total: ACCOUNTS * 100, n: ACCOUNTS })]);

    expect(
      await mirror.query(`SELECT count(*) AS n FROM (
        SELECT valid_from, valid_to, lead(valid_from) OVER (PARTITION BY id ORDER BY valid_from) AS next FROM public_history.account)
        WHERE valid_to <= valid_from OR next < valid_to OR (valid_to IS NULL AND next IS NOT NULL)`),
    ).toEqual([{ n: 0 }]);
    // Validity is missing nowhere: a version ends where the next begins, or where the log has the row deleted.
    expect(
      await mirror.query(`SELECT count(*) AS n FROM (
        SELECT h.*, lead(valid_from) OVER (PARTITION BY id ORDER BY valid_from) AS next FROM public_history.account h) h
        WHERE valid_to IS NOT NULL AND next IS DISTINCT FROM valid_to AND NOT EXISTS (
          FROM public_changes.account c JOIN sluice.batch b ON b.batch_id = c._batch WHERE c.id = h.id AND c._op = 'D' AND b.cut_ts = h.valid_to)`),
    ).toEqual([{ n: 0 }]);
  });

  test('a time before the first cut, and what is no time', async () => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await mirror.run('CREATE TABLE item (id int PRIMARY KEY)');
    await mirror.track('item');
    await mirror.run('INSERT INTO item VALUES (1)');
    await mirror.drain();
    await expect(mirror.query('FROM item', '2001-01-01')).rejects.toMatchObject({
      code: 'query_time',
      message: expect.stringContaining('begins at 20'),
    });
    await expect(mirror.query('FROM item', 'yesterday')).rejects.toMatchObject({ code: 'query_time' });
    expect(await mirror.query('FROM public.item')).toEqual([{ id: 1 }]);
    expect(await mirror.query('SELECT count(*) AS n FROM cdc', '2999-01-01')).toEqual([{ n: 1 }]);
  });
});
