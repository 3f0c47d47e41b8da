import { expect, test } from 'vitest';
import { openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';

// A Parquet writer needs most memory. At the default memory_limit of 384 MB; half of the rows compress well, the others hardly.
test('a batch of 24,000 rows of 20 kB, one of 5 MB, and narrow ones', async () => {
  await using mirror = await openMirror(sharedPostgres(18), 'DuckLake on SQLite');
  await mirror.run('CREATE TABLE doc (id int PRIMARY KEY, body text); CREATE TABLE note (id int PRIMARY KEY, body text)');
  await mirror.track('doc', 'note');
  await mirror.drain();
  await mirror.run(`INSERT INTO note SELECT g, 'narrow' FROM generate_series(1, 1000) AS g;
    INSERT INTO doc SELECT g, CASE WHEN g % 2 = 0 THEN repeat(md5(g::text), 640)
      ELSE (SELECT string_agg(encode(sha512((g * 1000 + j)::text::bytea), 'hex'), '') FROM generate_series(1, 160) AS j) END FROM generate_series(1, 24000) AS g;
    UPDATE doc SET body = repeat('x', 5000000) WHERE id = 77;
    DELETE FROM doc WHERE id = 78;
    INSERT INTO note SELECT g, 'narrow' FROM generate_series(1001, 2000) AS g`);
  await mirror.drain();
  const [log] = await mirror.query(
    'SELECT count(*)::int AS n, count(DISTINCT cdc_seq)::int AS seqs, count(DISTINCT batch_id)::int AS batches FROM cdc',
  );
  expect(log).toEqual({ n: 26_002, seqs: 26_002, batches: 1 });
  const hash = "SELECT count(*)::int AS n, md5(string_agg(md5(body), '' ORDER BY id)) AS md5 FROM";
  for (const table of ['doc', 'note']) {
    const [source] = await mirror.sql.unsafe(`${hash} ${table}`);
    expect(await mirror.query(`${hash} public.${table}`)).toEqual([{ ...source }]);
  }
});

test('few rows stay in the catalog of a DuckLake, but large ones become files', async () => {
  await using mirror = await openMirror(sharedPostgres(18), 'DuckLake on SQLite');
  await mirror.run('CREATE TABLE doc (id int PRIMARY KEY, body text)');
  await mirror.track('doc');
  await mirror.drain();
  const files = async (body: string) => {
    await mirror.run(`INSERT INTO doc SELECT coalesce(max(id), 0) + 1, ${body} FROM doc`);
    await mirror.drain();
    const [row] = await mirror.query("SELECT file_count::int AS n FROM ducklake_table_info('lake') WHERE table_name = 'cdc'");
    return row?.n;
  };
  expect(await files("'small'")).toBe(0);
  expect(await files("repeat('x', 100000)")).toBe(1);
  // Few rows, but more than come along with the contents.
  expect(await files("(SELECT string_agg(md5(g::text), '') FROM generate_series(1, 160000) AS g)")).toBe(2);
  expect(await files("'small'")).toBe(2);
  await mirror.expectState('doc');
});
