import { randomUUID } from 'node:crypto';
import { setTimeout as sleep } from 'node:timers/promises';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import { findGap } from '../../src/pipeline/index.ts';
import { PostgresSource, readStatus, type Sql } from '../../src/source/index.ts';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';
import { type LoggedChange, readBuffer, replayDifferences } from '../support/replay.ts';

/** audit.swap, move, settle and finish. The numbers are those of the hostile review of the protocol. */
describe.each(testVersions())('batches on PostgreSQL %i', (version) => {
  let lab: Lab;
  const daemon = `sluice_daemon_${version}_${Math.random().toString(36).slice(2, 8)}`;
  beforeAll(async () => {
    lab = await openLab(version);
    await lab.run(`CREATE ROLE ${daemon} LOGIN PASSWORD 'app'`);
    await lab.run(`SELECT audit.grant_daemon('${daemon}')`);
  });
  afterAll(async () => {
    await lab.run(`DROP OWNED BY ${daemon}; DROP ROLE ${daemon}`);
    await lab[Symbol.asyncDispose]();
  });
  beforeEach(async () => {
    await lab.reset();
    await lab.run('CREATE TABLE t (id int PRIMARY KEY, v int)');
    await lab.track('t');
  });

  interface Taken {
    id: string | null;
    kind: string;
    ordinal: string;
  }
  const swap = async (sql: Sql, ms = 50) => (await sql<Taken[]>`SELECT * FROM audit.swap(${ms}::int)`)[0];
  const move = async (sql: Sql) => (await sql<Taken[]>`SELECT * FROM audit.move()`)[0];
  const held = async () => (await lab.sql`SELECT data::text AS data FROM audit.cdc_old ORDER BY cdc_seq`).map((row) => row.data as string);
  const finish = (sql: Sql, id: string | null | undefined, rows: number) => sql`SELECT audit.finish(${id ?? null}::uuid, ${rows}::int8)`;

  test('an empty buffer is not swapped; a swap takes all and leaves the application a fresh buffer', async () => {
    expect((await swap(lab.sql))?.id).toBeNull();
    expect((await move(lab.sql))?.id).toBeNull();
    await lab.run('INSERT INTO t VALUES (1, 1)');
    const batch = await swap(lab.sql);
    expect(batch?.kind).toBe('swap');
    await lab.run('INSERT INTO t VALUES (2, 2)');
    expect(await held()).toEqual(['{"id":1,"v":1}']);
    await lab.sql`SELECT audit.settle(${batch?.id ?? null})`;
    await finish(lab.sql, batch?.id, 1);
    expect(await held()).toEqual([]);
    expect(await lab.logged()).toEqual(['I t {"id":2,"v":2}']);
  });

  test('few changes come along with what the batch holds; many, or large ones, and those of another batch do not', async () => {
    const source = new PostgresSource({ url: lab.url, lockTimeoutMs: 50 });
    const few = async () => {
      const batch = (await source.swap()) ?? expect.unreachable();
      const contents = await source.contents(batch);
      const elsewhere = await source.contents({ ...batch, id: randomUUID() });
      await source.finish(batch, contents.rows);
      expect(elsewhere.few === null || elsewhere.few === '[]').toBe(true);
      return { rows: contents.rows, few: contents.few == null ? null : (JSON.parse(contents.few) as (string | null)[][]) };
    };
    try {
      await lab.run(
        "INSERT INTO t VALUES (1, 1); UPDATE t SET v = 2; CREATE TABLE wide (id int PRIMARY KEY, v text); SELECT audit.track('wide')",
      );
      const found = await few();
      expect(found.few?.map(([, , , op, , data]) => [op, data])).toEqual([
        ['I', '{"id":1,"v":1}'],
        ['U', '{"id":1,"v":2}'],
      ]);
      await lab.run('INSERT INTO t SELECT g, 0 FROM generate_series(2, 10001) g');
      expect((await few()).few).toHaveLength(10_000);
      await lab.run('INSERT INTO t SELECT g, 0 FROM generate_series(10002, 20002) g');
      expect(await few()).toEqual({ rows: 10_001, few: null });
      // Small as it lies there, for it is compressed.
      await lab.run("INSERT INTO wide VALUES (1, repeat('x', 5000000))");
      expect(await few()).toEqual({ rows: 1, few: null });
    } finally {
      await source[Symbol.asyncDispose]();
    }
  });

  test('13: no swap while a batch is open; a daemon that was asleep empties no batch but its own', async () => {
    await lab.run('INSERT INTO t VALUES (1, 1)');
    const first = await swap(lab.sql);
    await lab.run('INSERT INTO t VALUES (2, 2)');
    await expect(swap(lab.sql)).rejects.toMatchObject({ code: '55006' });
    await expect(move(lab.sql)).rejects.toMatchObject({ code: '55006' });
    await finish(lab.sql, first?.id, 1);
    const second = await swap(lab.sql);
    await finish(lab.sql, first?.id, 1);
    expect(await held()).toEqual(['{"id":2,"v":2}']);
    await expect(finish(lab.sql, second?.id, 7)).rejects.toMatchObject({ code: 'XX001' });
    await expect(finish(lab.sql, '00000000-0000-4000-8000-000000000000', 1)).rejects.toMatchObject({ code: 'P0002' });
    await expect(lab.sql`SELECT audit.settle(${first?.id ?? null})`).rejects.toMatchObject({ code: '55000' });
    expect(await held()).toHaveLength(1);
    await finish(lab.sql, second?.id, 1);
  });

  test('13: two daemons finish and swap at once: one open batch at a time, none emptied twice', async () => {
    const daemons = [lab.session(), lab.session()];
    await lab.run('INSERT INTO t SELECT generate_series(1, 50), 0');
    const taken: string[] = [];
    await Promise.all(
      daemons.map(async (sql) => {
        for (let i = 0; i < 25; i++) {
          try {
            const batch = await swap(sql);
            if (!batch?.id) await lab.run(`UPDATE t SET v = v + 1 WHERE id = ${i + 1}`);
            else {
              taken.push(...(await held()));
              await finish(sql, batch.id, (await held()).length);
            }
          } catch (error) {
            expect(['55006', '55P03']).toContain((error as { code: string }).code);
          }
        }
      }),
    );
    const [{ open } = { open: -1 }] = await lab.sql<{ open: number }[]>`SELECT count(*)::int AS open FROM audit.batch WHERE state = 'open'`;
    expect(open).toBeLessThanOrEqual(1);
    expect(taken.length).toBeGreaterThanOrEqual(50);
    expect(new Set(taken).size).toBe(taken.length);
  });

  test('16: the commit of a swap does not wait for the disk, that of settle does', async () => {
    await lab.run('INSERT INTO t VALUES (1, 1)');
    const settings = await lab.sql.begin(async (tx) => {
      const [before] = await tx`SELECT id FROM audit.swap()`;
      const [row] = await tx`SELECT current_setting('synchronous_commit') AS commit`;
      return { ...row, id: before?.id as string };
    });
    expect(settings).toMatchObject({ commit: 'off' });
    const settled = await lab.sql.begin(async (tx) => {
      await tx`SET LOCAL synchronous_commit = off`;
      await tx`SELECT audit.settle(${settings.id})`;
      return (await tx`SELECT current_setting('synchronous_commit') AS commit, settled_at IS NOT NULL AS settled FROM audit.batch`)[0];
    });
    expect({ ...settled }).toEqual({ commit: 'on', settled: true });
  });

  test('17: a reader of cdc_old makes a swap wait, and no writer', async () => {
    await lab.run('INSERT INTO t VALUES (1, 1)');
    const reader = lab.session();
    await reader.unsafe('BEGIN; LOCK audit.cdc_old IN ACCESS SHARE MODE');
    const waiting = swap(lab.session(), 2000).catch((error) => error);
    await sleep(100);
    const start = performance.now();
    await lab.run('INSERT INTO t VALUES (2, 2)');
    expect(performance.now() - start).toBeLessThan(1000);
    await reader.unsafe('COMMIT');
    expect((await waiting).id).toBeTypeOf('string');
  });

  test('18: refused under another isolation level than READ COMMITTED', async () => {
    await lab.run('INSERT INTO t VALUES (1, 1)');
    for (const level of ['serializable', 'repeatable read'] as const) {
      for (const call of ['audit.swap()', 'audit.move()']) {
        await expect(lab.sql.begin(`isolation level ${level}`, (tx) => tx.unsafe(`SELECT ${call}`))).rejects.toMatchObject({
          code: '25000',
        });
      }
    }
  });

  test('11: a session with lock_timeout = 20ms meets a swap that holds the buffer', async () => {
    const swapper = lab.session();
    await swapper.unsafe('BEGIN; LOCK audit.cdc IN ACCESS EXCLUSIVE MODE');
    const writer = lab.session();
    await writer.unsafe("SET lock_timeout = '20ms'");
    const write = writer.unsafe('INSERT INTO t VALUES (1, 1); UPDATE t SET id = 2').then(
      () => 'written',
      (error: Error) => error.message,
    );
    await sleep(200);
    await swapper.unsafe('COMMIT');
    expect(await write).toBe('written');
    await lab.check();
  });

  test('19: a long transaction holds the buffer: swap gives up in time, move takes what is committed, order is kept', async () => {
    const long = lab.session();
    await long.unsafe('BEGIN; INSERT INTO t VALUES (100, 0)');
    await lab.run('INSERT INTO t VALUES (1, 1); UPDATE t SET v = 2');
    const start = performance.now();
    await expect(swap(lab.sql)).rejects.toMatchObject({ code: '55P03' });
    expect(performance.now() - start).toBeLessThan(1000);
    const batch = await move(lab.sql);
    expect([batch?.kind, await held()]).toEqual(['move', ['{"id":1,"v":1}', '{"id":1,"v":2}']]);
    await finish(lab.sql, batch?.id, 2);
    await long.unsafe('UPDATE t SET v = 3 WHERE id = 100; COMMIT');
    expect((await swap(lab.sql))?.kind).toBe('swap');
    expect(await held()).toEqual(['{"id":100,"v":0}', '{"id":100,"v":3}']);
  });

  test('pg_dump reads the buffer pair for long: swap gives up, move and DELETE go on', async () => {
    const dump = lab.session();
    await dump.unsafe(
      'BEGIN ISOLATION LEVEL REPEATABLE READ; LOCK audit.cdc, audit.cdc_old IN ACCESS SHARE MODE; SELECT count(*) FROM audit.cdc',
    );
    for (let i = 1; i <= 3; i++) {
      await lab.run(`INSERT INTO t VALUES (${i}, 0)`);
      await expect(swap(lab.sql)).rejects.toMatchObject({ code: '55P03' });
      const batch = await move(lab.sql);
      expect(await held()).toEqual([`{"id":${i},"v":0}`]);
      await finish(lab.sql, batch?.id, 1);
      expect(await held()).toEqual([]);
    }
    await dump.unsafe('COMMIT');
    await lab.run('INSERT INTO t VALUES (9, 9)');
    expect((await swap(lab.sql))?.kind).toBe('swap');
    expect(await held()).toEqual(['{"id":9,"v":9}']);
  });

  test('rows that were put into cdc_old by hand are delivered, not lost', async () => {
    await lab.run(
      'INSERT INTO t VALUES (1, 1); INSERT INTO audit.cdc_old SELECT * FROM audit.cdc; DELETE FROM audit.cdc; INSERT INTO t VALUES (2, 2)',
    );
    const batch = await swap(lab.sql);
    expect(await held()).toEqual(['{"id":1,"v":1}']);
    await finish(lab.sql, batch?.id, 1);
    await swap(lab.sql);
    expect(await held()).toEqual(['{"id":2,"v":2}']);
  });

  test('a batch whose rows a crash took is finished all the same', async () => {
    await lab.run('INSERT INTO t VALUES (1, 1)');
    const batch = await swap(lab.sql);
    await lab.run('TRUNCATE audit.cdc_old');
    await finish(lab.sql, batch?.id, 1);
    expect((await lab.sql`SELECT state FROM audit.batch`)[0]?.state).toBe('done');
  });

  test('the rows of old batches go; a lake that is further behind than what is kept is still named as a gap', async () => {
    await lab.run(`INSERT INTO audit.batch (kind, state, cut_at, rows) OVERRIDING SYSTEM VALUE
      SELECT 'swap', 'done', '2026-01-01', 0 FROM generate_series(1, 15000)`);
    const first = Number((await lab.sql`SELECT min(ordinal) AS n FROM audit.batch`)[0]?.n);
    const [gone] = await lab.sql`SELECT id FROM audit.batch WHERE ordinal = ${first + 7}`;
    const before = (await readStatus(lab.sql)).batchesDone;
    const source = new PostgresSource({ url: lab.url, lockTimeoutMs: 50 });
    try {
      let [done, pruned] = [0, 0];
      for (; pruned === 0; done += 1) {
        expect(done).toBeLessThan(101);
        await lab.run(`INSERT INTO t VALUES (${done}, 1)`);
        const batch = await source.swap();
        if (!batch) throw new Error('no batch');
        await source.finish(batch, 1);
        const [kept] = await lab.sql`SELECT count(*)::int AS n, min(ordinal)::int AS first, max(ordinal)::int AS last FROM audit.batch`;
        if (kept?.first === first) continue;
        pruned = kept?.first - first;
        expect(kept).toEqual({ n: 10_000, first: kept?.last - 9_999, last: kept?.last });
      }
      expect(pruned).toBeGreaterThan(4_900);
      expect((await readStatus(lab.sql)).batchesDone).toBe(before + done);
      // A lake whose last batch is one of those that are gone, as matchLake holds it against the source.
      const identity = await source.identity();
      const known = { ...identity, batch: gone?.id as string, lastSeq: null, lastCut: '2026-01-01T00:00:00Z' };
      const standing = await source.standing(known.batch);
      expect(standing.knows).toBe(false);
      expect(findGap(known, identity, { ...standing, shared: undefined })).toMatchObject({ from: standing.epochStart, to: standing.now });
      const newest = standing.newest ?? undefined;
      expect(
        findGap({ ...known, batch: newest?.id ?? null }, identity, { ...(await source.standing(newest?.id ?? null)), shared: newest }),
      ).toBeUndefined();
    } finally {
      await source[Symbol.asyncDispose]();
    }
  });

  test('a plain role with audit.grant_daemon() alone swaps, moves, settles, finishes and reads, whatever its defaults', async () => {
    await lab.run(`ALTER ROLE ${daemon} SET statement_timeout = '10s'; ALTER ROLE ${daemon} SET search_path = nowhere`);
    const role = lab.session({ user: daemon });
    for (const take of [swap, move]) {
      await lab.run('INSERT INTO t SELECT coalesce(max(id), 0) + 1, 0 FROM t');
      const batch = await take(role);
      await role`SELECT audit.settle(${batch?.id ?? null})`;
      expect(await role`SELECT * FROM audit.cdc_old`).toHaveLength(1);
      await finish(role, batch?.id, 1);
    }
    expect(await role`SELECT problem FROM audit.status`).toHaveLength(1);
    await role`SELECT * FROM audit.lost_span()`;
    await role`SELECT audit.begin_epoch(gen_random_uuid())`;
    await role`SELECT audit.advance(0)`;
    await expect(role`SELECT * FROM public.t`).rejects.toMatchObject({ code: '42501' });
    await expect(role`DELETE FROM audit.cdc`).rejects.toMatchObject({ code: '42501' });
    await expect(role`SELECT audit.track('public.t')`).rejects.toMatchObject({ code: '42501' });
  });

  test('the sequence moves forward only, and gives no number twice to those who write meanwhile', async () => {
    const advance = async (seq: bigint) => (await lab.sql`SELECT audit.advance(${seq.toString()}::int8) AS moved`)[0]?.moved;
    const next = async () => BigInt((await lab.sql`SELECT nextval('audit.cdc_seq') AS seq`)[0]?.seq);
    const before = await next();
    expect(await advance(before)).toBe(false);
    expect(await advance(before - 1n)).toBe(false);
    expect(await next()).toBe(before + 1n);
    expect(await advance(before + 2n)).toBe(true);
    expect(await next()).toBeGreaterThan(before + 2n);
    // As a fresh install has it: 1 was not given yet, and the lake may have it.
    await lab.sql`SELECT setval('audit.cdc_seq', 1, false)`;
    expect(await advance(1n)).toBe(true);

    await lab.sql`SELECT setval('audit.cdc_seq', 1, false)`;
    const end = performance.now() + 1500;
    const writers = [1, 2, 3].map(async (one) => {
      const sql = lab.session();
      while (performance.now() < end)
        await sql`INSERT INTO t SELECT ${one}, g FROM generate_series(1, 20) g ON CONFLICT (id) DO UPDATE SET v = t.v + 1`.catch(() => {});
    });
    const insert = lab.sql`INSERT INTO t SELECT g, 0 FROM generate_series(100, 30000) g`;
    while (performance.now() < end) {
      const [row] = await lab.sql`SELECT last_value::text AS last FROM audit.cdc_seq`;
      await advance(BigInt(row?.last) + 500n);
    }
    await Promise.all([...writers, insert]);
    const [seqs] = await lab.sql`SELECT count(*)::int AS n, count(DISTINCT cdc_seq)::int AS distinct FROM audit.cdc`;
    expect(seqs?.n).toBeGreaterThan(29_000);
    expect(seqs?.distinct).toBe(seqs?.n);
  });

  test('what held: swaps and moves at random under writers of every kind: nothing lost, doubled, split or out of order', async () => {
    await lab.run(
      'INSERT INTO t SELECT generate_series(1, 40), 0; CREATE TABLE p (id int PRIMARY KEY, v int) PARTITION BY HASH (id); CREATE TABLE p0 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 0); CREATE TABLE p1 PARTITION OF p FOR VALUES WITH (MODULUS 2, REMAINDER 1)',
    );
    await lab.track('p');
    const end = performance.now() + 6000;
    const levels = ['READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE'];
    let committed = 0;
    const writer = async (number: number) => {
      const sql = lab.session();
      for (let i = 0; performance.now() < end; i++) {
        const name = `w${daemon}_${number}_${i}`;
        const id = 1 + Math.floor(Math.random() * 40);
        const body = [
          `UPDATE t SET v = v + 1 WHERE id = ${id}; UPDATE t SET v = v - 1 WHERE id = ${(id % 40) + 1}`,
          `SAVEPOINT s; DELETE FROM t WHERE id = ${id}; ROLLBACK TO s; INSERT INTO p VALUES (${id}, ${i}) ON CONFLICT (id) DO UPDATE SET v = excluded.v`,
          `DELETE FROM p WHERE id = ${id}; INSERT INTO p VALUES (${id}, ${i}); UPDATE t SET v = 0 WHERE id = ${id}`,
          `UPDATE t SET v = v + 1 WHERE id = ${id}; SELECT pg_sleep(${number === 0 ? 0.4 : 0}); UPDATE p SET id = id + 40 WHERE id = ${id}; UPDATE p SET id = id - 40 WHERE id = ${id + 40}`,
        ][i % 4];
        try {
          await sql.unsafe(`BEGIN ISOLATION LEVEL ${levels[i % 3]}; ${body}`);
          await sql.unsafe(i % 5 === 4 ? `PREPARE TRANSACTION '${name}'` : i % 7 === 6 ? 'ROLLBACK' : 'COMMIT');
          if (i % 5 === 4) await sql.unsafe(`COMMIT PREPARED '${name}'`);
          committed++;
        } catch (error) {
          expect(['40001', '40P01', '23505']).toContain((error as { code: string }).code);
          await sql.unsafe('ROLLBACK');
        }
      }
    };
    const kinds = { swap: 0, move: 0 };
    const log: (LoggedChange & { xid: string; cut: number })[] = [];
    const drain = async (sql: Sql) => {
      const batch = await (Math.random() < 0.4 ? move(sql) : swap(sql)).catch((error) => {
        expect(error.code).toBe('55P03');
        return undefined;
      });
      if (!batch?.id) return false;
      kinds[batch.kind as 'swap' | 'move']++;
      await sql`SELECT audit.settle(${batch.id})`;
      const xids = await sql<{ xid: string; seq: string }[]>`SELECT cdc_xid::text AS xid, cdc_seq::text AS seq FROM audit.cdc_old`;
      const bySeq = new Map(xids.map(({ xid, seq }) => [seq, xid]));
      const taken = (await readBuffer(lab.sql)).filter(({ seq }) => bySeq.has(seq));
      log.push(...taken.map((change) => ({ ...change, xid: bySeq.get(change.seq) ?? '', cut: Number(batch.ordinal) })));
      await finish(sql, batch.id, taken.length);
      return true;
    };
    const daemonSession = lab.session({ user: daemon });
    const draining = (async () => {
      while (performance.now() < end) {
        await drain(daemonSession);
        await sleep(Math.random() * 40);
      }
    })();
    await Promise.all([0, 1, 2, 3].map(writer));
    await draining;
    await drain(daemonSession);
    while (await drain(daemonSession));
    // On a busy machine there are few of each.
    expect(committed).toBeGreaterThan(20);
    expect(Math.min(kinds.swap, kinds.move)).toBeGreaterThan(0);
    expect(await replayDifferences(lab.sql, { changes: log })).toEqual([]);
    expect(new Set(log.map(({ seq }) => seq)).size).toBe(log.length);
    const cuts = new Map<string, Set<number>>();
    for (const { xid, cut } of log) cuts.set(xid, (cuts.get(xid) ?? new Set()).add(cut));
    expect([...cuts].filter(([, of]) => of.size > 1)).toEqual([]);
  });
});
