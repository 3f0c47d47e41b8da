import { DuckDBConnection } from '@duckdb/node-api';
import { afterEach, expect, test, vi } from 'vitest';
import { drain } from '../../src/pipeline/index.ts';
import { ANY_MIRROR, type Mirror, openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';

afterEach(() => vi.restoreAllMocks());

const nameOf = (table: number) => `t_${table}`;
const namesOf = (count: number) => Array.from({ length: count }, (_, table) => nameOf(table));

async function makeTables(mirror: Mirror, count: number, rows = 0): Promise<void> {
  await mirror.run(
    namesOf(count)
      .map(
        (name) =>
          `CREATE TABLE ${name} (id int PRIMARY KEY, v text); INSERT INTO ${name} SELECT g, '${name}' FROM generate_series(1, ${rows}) g`,
      )
      .join(';'),
  );
  await mirror.track(...namesOf(count));
}

/** Statements that the engine runs during `work`, those about one table left out. */
async function statementsOf(work: () => Promise<unknown>): Promise<string[]> {
  const run = vi.spyOn(DuckDBConnection.prototype, 'run');
  try {
    await work();
    return run.mock.calls.map(([sql]) => sql).filter((sql) => !/\bt_\d+/.test(sql));
  } finally {
    run.mockRestore();
  }
}

test('what the lake notes of tables and loads takes no more statements for more of them', { timeout: 120_000 }, async () => {
  const counts: number[] = [];
  for (const tables of [3, 30]) {
    await using mirror = await openMirror(sharedPostgres(18), 'DuckDB file');
    await makeTables(mirror, tables, 1);
    const sql = await statementsOf(() => mirror.drain());
    // DDL and rows of each table are of that table; these are asked for it all the same.
    counts.push(sql.filter((one) => /lake\.sluice\./.test(one) || /^(BEGIN|COMMIT)$/.test(one)).length);
    await mirror.expectState(...namesOf(tables));
  }
  const [few = 0, many = 0] = counts;
  expect(few).toBeGreaterThan(10);
  // Reading more of them may take a step more, and each looks at the loads.
  expect(many).toBeLessThanOrEqual(few + 10);
});

test.each(ANY_MIRROR)(
  'more new tables than go into one transaction, with changes of some in the same batch: %s',
  { timeout: 240_000 },
  async (kind) => {
    await using mirror = await openMirror(sharedPostgres(18), kind);
    await makeTables(mirror, 230, 1);
    const changed = [nameOf(0), nameOf(115), nameOf(229)];
    await mirror.run(changed.map((name) => `INSERT INTO ${name} VALUES (2, 'new'); DELETE FROM ${name} WHERE id = 1`).join(';'));
    const { ports } = mirror.composition;
    await ports.source.lead();
    expect(await drain(ports)).toMatchObject({ kind: 'batch', news: true });
    expect(await mirror.query('SELECT kind, count(*) AS n FROM sluice.batch GROUP BY ALL ORDER BY ALL')).toEqual([
      { kind: 'schema', n: 3 },
      { kind: 'swap', n: 1 },
    ]);
    expect(await mirror.query('SELECT count(*) AS n FROM sluice."load" WHERE done_ts IS NULL')).toEqual([{ n: 230 }]);
    await mirror.drain();
    await mirror.expectState(...changed, nameOf(1), nameOf(228));
    expect(await mirror.query('SELECT sum(rows) AS rows, count(*) AS tables FROM sluice.watermark')).toEqual([{ rows: 230, tables: 230 }]);
    expect(await mirror.query('SELECT count(DISTINCT batch_id) AS numbers, sum("rows") AS rows FROM sluice."load"')).toEqual([
      { numbers: 230, rows: 230 },
    ]);
  },
);

test('a table that is emptied while it is loaded with others begins anew, and they do not', { timeout: 60_000 }, async () => {
  await using mirror = await openMirror(sharedPostgres(18), 'DuckDB file');
  await makeTables(mirror, 5, 10);
  const { ports } = mirror.composition;
  await ports.source.lead();
  let drained = await drain(ports, { watchNow: true });
  // Begun, then read.
  await ports.loader.step(drained);
  const begun = async () => mirror.query('SELECT table_id, batch_id FROM sluice."load" ORDER BY 1');
  const first = await begun();
  expect(first.every(({ batch_id }) => batch_id !== null)).toBe(true);
  await ports.lake.acquire();
  drained = await drain(ports);
  await ports.loader.step(drained);
  await mirror.run(
    `TRUNCATE ${nameOf(2)}; INSERT INTO ${nameOf(2)} VALUES (77, 'after'); UPDATE ${nameOf(3)} SET v = 'changed' WHERE id = 1`,
  );
  await mirror.drain();
  await mirror.expectState(...namesOf(5));
  const last = await begun();
  expect(last.filter((row, position) => row.batch_id !== first[position]?.batch_id).map(({ table_id }) => table_id)).toEqual([
    first[2]?.table_id,
  ]);
});
