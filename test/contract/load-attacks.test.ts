import { readdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { classify } from '../../src/model/fault.ts';
import { drain } from '../../src/pipeline/index.ts';
import { untrack } from '../../src/source/index.ts';
import { ANY_MIRROR, type MIRRORS, type Mirror, openMirror } from '../support/mirror.ts';
import { sharedPostgres } from '../support/shared.ts';
import { step, stepAll } from '../support/steps.ts';

const ITEM = `CREATE TABLE item (id int PRIMARY KEY, v text);
  INSERT INTO item SELECT g, repeat('x', 500) FROM generate_series(1, 60) g`;

const ask = (mirror: Mirror, mode: string, table = 'item') =>
  mirror.run(`SELECT audit.request_load(table_id, '${mode}') FROM audit.status WHERE table_name = '${table}'`);

const open = (kind: (typeof MIRRORS)[number]) => openMirror(sharedPostgres(18), kind, { chunkRows: 20 });

const openLoads = async (mirror: Mirror) => {
  const { lake } = mirror.composition.ports;
  await lake.acquire();
  const loads = await lake.loads.open({ fresh: true });
  await lake.release();
  return loads;
};

/** Step until a load has so many chunks in the lake. */
async function stepTo(mirror: Mirror, chunks: number): Promise<void> {
  for (let count = 0; ((await openLoads(mirror))[0]?.done.size ?? 0) < chunks; count += 1) {
    expect(count).toBeLessThan(50);
    await step(mirror);
  }
}

/** A load with its first chunk in the lake, which is held from now on; and page `index` of the table as a chunk of it. */
async function atFirstChunk(mirror: Mirror, index: number) {
  await mirror.run(ITEM);
  await mirror.track('item');
  await stepTo(mirror, 1);
  const { lake, source } = mirror.composition.ports;
  await lake.acquire();
  const [load] = await lake.loads.open({ fresh: true });
  if (!load) throw new Error('no load');
  const chunk = { index, relid: load.plan[0]?.relid ?? '', firstPage: index, pages: 1 };
  const read = () => lake.loads.read(load, { frozen: false, pages: 1 }, (reading) => source.rows(load.table.id, reading, chunk));
  return { lake, load, chunk, read };
}

const settled = async (mirror: Mirror) => {
  await stepAll(mirror);
  expect(await mirror.query('SELECT mode, began_ts FROM sluice.load WHERE done_ts IS NULL')).toEqual([]);
};

describe.each(ANY_MIRROR)('loads under attack: %s', { timeout: 180_000 }, (kind) => {
  test('rows that came in by ATTACH after a TRUNCATE are there, in the history as well', async () => {
    await using mirror = await open(kind);
    await mirror.run(`CREATE TABLE item (id int PRIMARY KEY, v text) PARTITION BY RANGE (id);
      CREATE TABLE low PARTITION OF item FOR VALUES FROM (0) TO (100);
      INSERT INTO item SELECT g, repeat('x', 500) FROM generate_series(1, 80) g;
      CREATE TABLE high (LIKE item); INSERT INTO high SELECT g, 'high' FROM generate_series(100, 120) g`);
    await mirror.track('item');
    await stepTo(mirror, 2);
    await mirror.run('TRUNCATE item; INSERT INTO item VALUES (3, $$three$$)');
    await step(mirror);
    await mirror.run('ALTER TABLE item ATTACH PARTITION high FOR VALUES FROM (100) TO (200)');
    await settled(mirror);
    await mirror.expectState('item');
    expect(await mirror.query('SELECT count(*) AS n FROM public.item', '2999-01-01')).toEqual([{ n: 22 }]);
  });

  test.each([
    'ALTER TABLE item RENAME id TO key',
    'ALTER TABLE item ADD COLUMN k int NOT NULL DEFAULT 7; ALTER TABLE item DROP CONSTRAINT item_pkey, ADD PRIMARY KEY (id, k)',
    'ALTER TABLE item ALTER id TYPE bigint',
    'ALTER TABLE item ALTER id TYPE text, ALTER v TYPE varchar(900)',
    'ALTER TABLE item DROP COLUMN v',
  ])('%s while it is compared', async (ddl) => {
    await using mirror = await open(kind);
    await mirror.run(ITEM);
    await mirror.track('item');
    await settled(mirror);
    await ask(mirror, 'repair');
    await stepTo(mirror, 2);
    await mirror.run(ddl);
    await settled(mirror);
    await mirror.expectState('item');
  });

  test('a key that goes while a table is compared, and comes back', async () => {
    await using mirror = await open(kind);
    await mirror.run(ITEM);
    await mirror.track('item');
    await settled(mirror);
    await ask(mirror, 'compare');
    await stepTo(mirror, 2);
    await mirror.run('ALTER TABLE item DROP CONSTRAINT item_pkey');
    await settled(mirror);
    await mirror.run('ALTER TABLE item ADD PRIMARY KEY (id)');
    await settled(mirror);
    await mirror.expectState('item');
    await ask(mirror, 'verify');
    await settled(mirror);
    expect(await mirror.query('SELECT * FROM sluice.difference')).toEqual([]);
  });

  test.each(['fill', 'compare', 'full', 'reset'])('a table that is dropped and made again during a load: %s', async (mode) => {
    await using mirror = await open(kind);
    await mirror.run(ITEM);
    await mirror.track('item');
    if (mode !== 'fill') {
      await settled(mirror);
      await ask(mirror, mode);
    }
    await stepTo(mirror, 2);
    await mirror.run(
      "DROP TABLE item; CREATE TABLE item (n text PRIMARY KEY, id int); INSERT INTO item SELECT 'n' || g, g FROM generate_series(1, 50) g",
    );
    await mirror.track('item');
    await settled(mirror);
    await mirror.expectState('item');
    expect(
      await mirror.query("SELECT table_name FROM duckdb_tables() WHERE table_name LIKE 'load %' OR table_name LIKE '%(sluice load)'"),
    ).toEqual([]);
  });

  test('a chunk that is in the lake is not loaded again, by another process or after a lost answer', async () => {
    await using mirror = await open(kind);
    // The last one: of the first there may be several.
    const { lake, load, chunk, read } = await atFirstChunk(mirror, 3);
    const [one, other] = [await read(), await read()];
    await lake.loads.apply(load, [{ chunk, rows: one }]);
    await expect(lake.loads.apply(load, [{ chunk, rows: other }])).rejects.toMatchObject({ code: 'lake_conflict' });
    await lake.release();
    await settled(mirror);
    await mirror.expectState('item');
    expect(await mirror.query("SELECT count(*) AS n, count(DISTINCT id) AS keys FROM public_changes.item WHERE _op = 'R'")).toEqual([
      { n: 60, keys: 60 },
    ]);
  });

  test('one process begins a load anew, another goes on with what it has read', async () => {
    await using mirror = await open(kind);
    const { lake, load, chunk, read } = await atFirstChunk(mirror, 0);
    const rows = await read();
    await lake.loads.begin([{ load, plan: load.plan }], '0');
    await expect(lake.loads.apply(load, [{ chunk, rows }])).rejects.toMatchObject({ code: 'lake_conflict' });
    await lake.release();
    await settled(mirror);
    await mirror.expectState('item');
  });

  test('as of: before a load is complete its table is as it was, and after it as it is', async () => {
    await using mirror = await open(kind);
    await mirror.run(`${ITEM}; CREATE TABLE other (id int PRIMARY KEY)`);
    await mirror.track('item', 'other');
    const cut = async () =>
      String((await mirror.query("SELECT strftime(max(cut_ts), '%Y-%m-%dT%H:%M:%S.%fZ') AS cut FROM sluice.batch"))[0]?.cut);
    const counted = (at: string) =>
      mirror.query('SELECT count(*)::INT AS n, count(*) FILTER (v = $$y$$)::INT AS y FROM public.item', at).then(
        ([row]) => row,
        (error) => error.code,
      );
    await stepTo(mirror, 2);
    await mirror.run("UPDATE item SET v = 'y' WHERE id < 3");
    await step(mirror);
    const during = await cut();
    await settled(mirror);
    const filled = await cut();
    expect([await counted(during), await counted(filled)]).toEqual(['query_failed', { n: 60, y: 2 }]);
    await mirror.damage('DELETE FROM lake.public.item WHERE id = 50');
    await ask(mirror, 'full');
    await stepTo(mirror, 2);
    await mirror.run("UPDATE item SET v = 'y' WHERE id IN (5, 6)");
    await step(mirror);
    const again = await cut();
    expect(await counted(again)).toMatchObject({ y: 4 });
    await settled(mirror);
    const loaded = await cut();
    expect([await counted(during), await counted(again), await counted(loaded)]).toEqual([
      'query_failed',
      { n: 60, y: 4 },
      { n: 60, y: 4 },
    ]);
    await mirror.damage('DELETE FROM lake.public.item WHERE id = 50');
    await ask(mirror, 'repair');
    await settled(mirror);
    expect(await counted('2999-01-01')).toEqual({ n: 60, y: 4 });
    await mirror.expectState('item');
  });

  test('a reset that begins anew leaves nothing of before, as of an earlier time too', async () => {
    await using mirror = await open(kind);
    await mirror.run(ITEM);
    await mirror.track('item');
    await settled(mirror);
    const [row] = await mirror.query("SELECT strftime(max(cut_ts), '%Y-%m-%dT%H:%M:%S.%fZ') AS cut FROM sluice.batch");
    await ask(mirror, 'reset');
    await stepTo(mirror, 2);
    await mirror.run('ALTER TABLE item ADD COLUMN w int');
    await settled(mirror);
    await mirror.expectState('item');
    await expect(mirror.query('FROM public.item', String(row?.cut))).rejects.toMatchObject({ code: 'query_failed' });
  });

  test('a table that is locked does not hold up the drain, nor the load of it the others', async () => {
    await using mirror = await open(kind);
    await mirror.run(`${ITEM}; CREATE TABLE other (id int PRIMARY KEY)`);
    await mirror.track('item', 'other');
    await stepTo(mirror, 1);
    const release = Promise.withResolvers<void>();
    const locked = Promise.withResolvers<void>();
    const held = mirror.sql.begin(async (tx) => {
      await tx`LOCK TABLE item IN ACCESS EXCLUSIVE MODE`;
      locked.resolve();
      await release.promise;
    });
    await locked.promise;
    try {
      const { ports } = mirror.composition;
      const began = Date.now();
      for (let count = 0; count < 4; count += 1) {
        await mirror.run(`INSERT INTO other VALUES (${count})`);
        const drained = await drain(ports);
        expect(drained.kind).toBe('batch');
        await ports.loader.step(drained).catch((error) => expect(classify(error).retry, String(error)).toBe(true));
      }
      expect(Date.now() - began).toBeLessThan(10_000);
    } finally {
      release.resolve();
      await held;
    }
    await settled(mirror);
    await mirror.expectState('item', 'other');
  });
});

describe.each(ANY_MIRROR)('loads under attack: %s', { timeout: 180_000 }, (kind) => {
  test.each(['fill', 'compare', 'full', 'repair'])(
    'a transaction that is open before the load begins, and one that commits after its end: %s',
    async (mode) => {
      await using mirror = await open(kind);
      await mirror.run(ITEM);
      await mirror.track('item');
      if (mode !== 'fill') {
        await settled(mirror);
        await mirror.damage(
          'DELETE FROM lake.public.item WHERE id IN (1, 2, 9)',
          "UPDATE lake.public.item SET v = 'no' WHERE id IN (3, 4, 10)",
        );
        await ask(mirror, mode);
      }
      const long = async (id: number, until: Promise<void>) =>
        mirror.sql.begin(async (tx) => {
          await tx`UPDATE item SET v = 'long' WHERE id = ${id}`;
          await tx`DELETE FROM item WHERE id = ${id + 2}`;
          await tx`INSERT INTO item VALUES (${1000 + id}, 'long')`;
          await until;
        });
      const [middle, after] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
      const [first, second] = [long(1, middle.promise), long(2, after.promise)];
      await stepTo(mirror, 2);
      middle.resolve();
      await first;
      await settled(mirror);
      after.resolve();
      await second;
      await settled(mirror);
      await mirror.expectState('item');
      expect(await mirror.query("SELECT id FROM public_changes.item WHERE _op = 'R' GROUP BY id HAVING count(*) > 2")).toEqual([]);
    },
  );

  test.each(['fill', 'full', 'compare'])('a table that is renamed, then untracked and tracked again, during a load: %s', async (mode) => {
    await using mirror = await open(kind);
    await mirror.run(ITEM);
    await mirror.track('item');
    if (mode !== 'fill') {
      await settled(mirror);
      await ask(mirror, mode);
    }
    await stepTo(mirror, 2);
    await mirror.run('ALTER TABLE item RENAME TO thing; UPDATE thing SET v = $$renamed$$ WHERE id = 5');
    await step(mirror);
    await step(mirror);
    await mirror.run('UPDATE thing SET v = $$again$$ WHERE id < 3');
    await settled(mirror);
    await mirror.expectState('thing');
    await mirror.run("SELECT audit.request_load(table_id, 'full') FROM audit.status WHERE table_name = 'thing'");
    await stepTo(mirror, 2);
    await untrack(mirror.sql, [{ schema: 'public', name: 'thing' }]);
    await mirror.run('DELETE FROM thing WHERE id > 50');
    await step(mirror);
    await mirror.track('thing');
    await settled(mirror);
    await mirror.expectState('thing');
  });

  test('connections to the source break, again and again', async () => {
    await using mirror = await open(kind);
    await mirror.run(ITEM);
    await mirror.track('item');
    for (let round = 0; round < 25; round += 1) {
      const breaks = mirror.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = current_database() AND application_name <> 'mirror' AND pid <> pg_backend_pid()`;
      await Promise.all([
        step(mirror).catch((error) => expect(classify(error).retry, String(error)).toBe(true)),
        round % 2 === 0 ? breaks : undefined,
      ]);
      await mirror.run(`UPDATE item SET v = 'round ${round}' WHERE id = ${round}`);
    }
    await settled(mirror);
    await mirror.expectState('item');
    expect(await mirror.query("SELECT id FROM public_changes.item WHERE _op = 'R' GROUP BY id HAVING count(*) > 1")).toEqual([]);
  });
});

test('a load that is asked for begins though the buffer is never empty', async () => {
  await using mirror = await open('DuckDB file');
  await mirror.run(ITEM);
  await mirror.track('item');
  await settled(mirror);
  await mirror.run("UPDATE item SET v = 'y'");
  await ask(mirror, 'compare');
  await step(mirror);
  expect(await mirror.query('SELECT mode FROM sluice.load WHERE done_ts IS NULL')).toEqual([{ mode: 'compare' }]);
});

test('a table that gets its first key while its load waits has the rows that were captured before', async () => {
  await using mirror = await open('DuckDB file');
  await mirror.run(`${ITEM}; CREATE TABLE late (id int, v text); INSERT INTO late SELECT g, 'v' FROM generate_series(1, 10) g`);
  await mirror.track('item', 'late');
  await stepTo(mirror, 1);
  await mirror.run("INSERT INTO late VALUES (11, 'captured'); DELETE FROM late WHERE id = 1");
  await step(mirror);
  await mirror.run('ALTER TABLE late ADD PRIMARY KEY (id)');
  await settled(mirror);
  await mirror.expectState('item', 'late');
});

test('a table without a key has each row once, and nothing to verify', async () => {
  await using mirror = await open('DuckDB file');
  await mirror.run('CREATE TABLE item (id int, v text); INSERT INTO item SELECT g, $$v$$ FROM generate_series(1, 1000) g');
  await mirror.track('item');
  await settled(mirror);
  expect(await mirror.query('SELECT _op, count(*)::INT AS n FROM public_changes.item GROUP BY ALL')).toEqual([{ _op: 'R', n: 1000 }]);
  await ask(mirror, 'verify');
  await ask(mirror, 'compare');
  await settled(mirror);
  expect(await mirror.sql`SELECT mode FROM audit.load WHERE done_at IS NULL`).toHaveLength(0);
  expect(await mirror.query('SELECT _op, count(*)::INT AS n FROM public_changes.item GROUP BY ALL ORDER BY ALL')).toEqual([
    { _op: 'R', n: 2000 },
    { _op: 'T', n: 1 },
  ]);
});

test('columns of hostile names, a table of 300 columns, an empty one, and partitions with other layouts', {
  timeout: 120_000,
}, async () => {
  await using mirror = await open('DuckLake on SQLite');
  const names = [
    'c1',
    'c0',
    'place',
    'at',
    '_sluice at',
    '_sluice lost',
    '_sluice hash',
    '_sluice relid',
    '_sluice difference',
    '_sluice next',
    'l',
    'c',
    'r',
    's',
    't',
    'd',
    'a"b',
    "a'b",
    'a\nb',
    'A',
    'a',
    '_op',
    '_seq',
    'load_changed',
    'x',
  ];
  const quoted = names.map((name) => `"${name.replaceAll('"', '""')}"`);
  await mirror.run(`CREATE TABLE item (id int PRIMARY KEY, ${quoted.map((name, index) => `${name} ${['numeric(9,2)', 'text', 'date', 'jsonb', 'int'][index % 5]}`).join(', ')});
    INSERT INTO item (id, ${quoted.join(', ')}) SELECT g, ${quoted.map((_, index) => [`${index}.5`, `'t${index}'`, `'2020-01-${10 + (index % 20)}'::date`, `'{"a": ${index}}'::jsonb`, String(index)][index % 5]).join(', ')} FROM generate_series(1, 30) g;
    CREATE TABLE keyed ("at" text, "place" int, "_sluice at" int, PRIMARY KEY ("at", "_sluice at", "place")); INSERT INTO keyed SELECT chr(60 + g), g, g FROM generate_series(1, 60) g;
    CREATE TABLE wide (id int PRIMARY KEY, ${Array.from({ length: 300 }, (_, n) => `w${n} ${['int', 'text', 'timestamptz'][n % 3]}`).join(', ')}); INSERT INTO wide (id, w0, w1, w2, w297) SELECT g, g, g, now(), g FROM generate_series(1, 50) g;
    CREATE TABLE nothing (id int PRIMARY KEY);
    CREATE TABLE timed (at timestamptz PRIMARY KEY, d date); INSERT INTO timed VALUES ('infinity', '-infinity'), ('-infinity', 'infinity'), (now(), '4000-01-01'), ('0044-03-15', '0044-03-15');
    CREATE TABLE numbered (n numeric PRIMARY KEY, v int); INSERT INTO numbered VALUES (1.0, 1), (2.50, 2), (-3e30, 3);
    CREATE TABLE parted (id int, region text, v int, PRIMARY KEY (id, region)) PARTITION BY LIST (region);
    CREATE TABLE p_a (junk int, v int, region text NOT NULL, id int NOT NULL); ALTER TABLE p_a DROP COLUMN junk; ALTER TABLE parted ATTACH PARTITION p_a FOR VALUES IN ('a');
    CREATE TABLE p_b PARTITION OF parted FOR VALUES IN ('b') PARTITION BY HASH (id); CREATE TABLE p_b0 PARTITION OF p_b FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE p_b1 PARTITION OF p_b FOR VALUES WITH (MODULUS 2, REMAINDER 1);
    INSERT INTO parted SELECT g, CASE g % 2 WHEN 0 THEN 'a' ELSE 'b' END, g FROM generate_series(1, 100) g;
    CREATE DOMAIN code AS text CHECK (value <> ''); CREATE TABLE coded (id code PRIMARY KEY, twice int GENERATED ALWAYS AS (length(id) * 2) STORED); INSERT INTO coded SELECT chr(64 + g) FROM generate_series(1, 58) g`);
  const tables = ['item', 'keyed', 'wide', 'nothing', 'parted', 'coded', 'timed', 'numbered'];
  await mirror.track(...tables);
  await settled(mirror);
  for (const name of tables.slice(1)) await mirror.expectState(name);
  expect(await mirror.query('SELECT count(*)::INT AS n, count(x)::INT AS x FROM public.item')).toEqual([{ n: 30, x: 30 }]);
  await mirror.damage(
    'DELETE FROM lake.public.keyed WHERE place = 7',
    'UPDATE lake.public.coded SET twice = 3 WHERE id = $$B$$',
    'UPDATE lake.public.item SET x = -1 WHERE id = 3',
  );
  for (const name of tables) {
    await ask(mirror, 'repair', name);
    await settled(mirror);
  }
  for (const name of tables.slice(1)) await mirror.expectState(name);
  expect(
    await mirror.query(
      'SELECT t.lake_name AS table_name, l.missing, l.different, l.extra FROM sluice.load AS l JOIN sluice."table" AS t ON t.table_id = l.table_id WHERE l.mode = $$repair$$ ORDER BY 1',
    ),
  ).toEqual([
    { table_name: 'coded', missing: 0, different: 1, extra: 0 },
    { table_name: 'item', missing: 0, different: 1, extra: 0 },
    { table_name: 'keyed', missing: 1, different: 0, extra: 0 },
    { table_name: 'nothing', missing: 0, different: 0, extra: 0 },
    { table_name: 'numbered', missing: 0, different: 0, extra: 0 },
    { table_name: 'parted', missing: 0, different: 0, extra: 0 },
    { table_name: 'timed', missing: 0, different: 0, extra: 0 },
    { table_name: 'wide', missing: 0, different: 0, extra: 0 },
  ]);
});

test('where most rows differ, all are loaded anew instead of being read one by one', { timeout: 180_000 }, async () => {
  await using mirror = await openMirror(sharedPostgres(18), 'DuckDB file');
  await mirror.run('CREATE TABLE item (id int PRIMARY KEY, v text); INSERT INTO item SELECT g FROM generate_series(1, 510000) g');
  await mirror.track('item');
  await settled(mirror);
  await mirror.damage('DELETE FROM lake.public.item WHERE id < 505000');
  await ask(mirror, 'compare');
  await settled(mirror);
  expect(await mirror.query('SELECT mode, "rows", missing FROM sluice.load ORDER BY requested_ts')).toEqual([
    { mode: 'fill', rows: 510000, missing: 510000 },
    { mode: 'full', rows: 510000, missing: 510000 },
  ]);
  expect(await mirror.query('SELECT count(*) AS n, count(DISTINCT id) AS keys FROM public.item')).toEqual([{ n: 510000, keys: 510000 }]);
});

test('rows of 100 kB that take little room at the source are loaded in smaller chunks', { timeout: 300_000 }, async () => {
  await using mirror = await openMirror(sharedPostgres(18), 'DuckDB file');
  await mirror.run(
    'CREATE TABLE item (id int PRIMARY KEY, v text); INSERT INTO item SELECT g, repeat(md5(g::text), 3125) FROM generate_series(1, 4000) g',
  );
  await mirror.track('item');
  await mirror.drain();
  expect(await mirror.query('SELECT count(*) AS n, sum(length(v))::BIGINT AS length FROM public.item')).toEqual([
    { n: 4000, length: 400000000 },
  ]);
});

test.each(['auto', 'fifo'] as const)('a read by %s gives way to who waits for its lock', { timeout: 60_000 }, async (staging) => {
  await using mirror = await openMirror(sharedPostgres(18), 'DuckDB file', { staging });
  // A value takes a millisecond to be read, so the table's one chunk takes two seconds.
  await mirror.run(`CREATE TYPE slow AS ENUM ('x');
    CREATE FUNCTION slowly(slow) RETURNS json LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.001); RETURN to_json($1::text); END $$;
    CREATE CAST (slow AS json) WITH FUNCTION slowly(slow);
    CREATE TABLE item (id int PRIMARY KEY, v slow); INSERT INTO item SELECT g, 'x' FROM generate_series(1, 2000) g`);
  await mirror.track('item');
  const drained = mirror.drain();
  const reading = async () =>
    (
      await mirror.sql`SELECT FROM pg_stat_activity WHERE state = 'active' AND query LIKE 'COPY%audit.read\\_rows(%' AND datname = current_database()`
    ).length;
  while ((await reading()) === 0) await sleep(5);
  await sleep(100);
  const started = performance.now();
  await mirror.run('TRUNCATE item');
  expect(performance.now() - started).toBeLessThan(700);
  await mirror.run("INSERT INTO item VALUES (7, 'x')");
  await drained;
  await mirror.drain();
  expect(await mirror.query('SELECT id FROM public.item')).toEqual([{ id: 7 }]);
});

test.each(['auto', 'fifo'] as const)(
  'a table that somebody has locked is read by %s once it is free',
  { timeout: 60_000 },
  async (staging) => {
    await using mirror = await openMirror(sharedPostgres(18), 'DuckDB file', { staging });
    await mirror.run('CREATE TABLE item (id int PRIMARY KEY); INSERT INTO item VALUES (1), (2); CREATE TABLE other (id int PRIMARY KEY)');
    await mirror.track('item', 'other');
    const locked = Promise.withResolvers<void>();
    const held = mirror.sql.begin(async (tx) => {
      await tx`LOCK TABLE item IN ACCESS EXCLUSIVE MODE`;
      locked.resolve();
      await sleep(2000);
    });
    await locked.promise;
    await mirror.drain();
    await held;
    await mirror.expectState('item', 'other');
  },
);

test('a file that was taken away before the lake knew of it: the load begins anew', { timeout: 60_000 }, async () => {
  await using mirror = await openMirror(sharedPostgres(18), 'DuckLake on SQLite', { chunkRows: 20 });
  await mirror.run(ITEM);
  await mirror.track('item');
  let taken = 0;
  const take = async () => {
    if (taken > 0 || mirror.lake.type !== 'ducklake') return;
    const folder = join(mirror.lake.data, 'public_changes', 'item');
    for (const file of (await readdir(folder).catch(() => [])).filter((name) => name.endsWith('.parquet'))) {
      await rm(join(folder, file));
      taken += 1;
    }
  };
  await stepAll(mirror, take);
  expect(taken).toBeGreaterThan(0);
  await mirror.expectState('item');
});
