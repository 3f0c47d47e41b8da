import { randomUUID } from 'node:crypto';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from 'vitest';
import type { LakeConfig } from '../../src/lake/config.ts';
import { isExclusive } from '../../src/lake/config.ts';
import type { Engine } from '../../src/lake/engine.ts';
import { extensionsFor } from '../../src/lake/extensions.ts';
import { openLake } from '../../src/lake/lake.ts';
import { openForQuery } from '../../src/lake/query.ts';
import type { Row } from '../../src/lake/rows.ts';
import { forgetStage, stageWith } from '../../src/lake/stage.ts';
import type { Batch, Contents, SourceIdentity, Staged } from '../../src/model/batch.ts';
import { SluiceError } from '../../src/model/error.ts';
import type { Gap } from '../../src/model/gap.ts';
import type { Lake } from '../../src/pipeline/ports.ts';
import { testEngine } from '../lake/support.ts';

export const identity: SourceIdentity = {
  systemIdentifier: '7012345678901234567',
  timeline: 1,
  database: 'shop',
  epoch: 'b8a9b5f0-0000-4000-8000-000000000001',
};

export interface StageRow {
  readonly seq: number | string;
  readonly data: string | null;
  readonly op?: string;
  readonly table?: number;
  readonly ts?: string;
}

let ordinal = 0;
export function newBatch(kind: Batch['kind'] = 'swap'): Batch {
  ordinal += 1;
  return { id: randomUUID(), ordinal, cut: new Date(Date.UTC(2026, 10, 21, 10, 0, ordinal)).toISOString().replace('Z', '456Z'), kind };
}

/** Put rows where a stager puts them. */
export async function stageRows(engine: Engine, batch: Batch, rows: readonly StageRow[], { streams = false } = {}): Promise<Staged> {
  const staged = await engine.exclusive((sql) =>
    stageWith(sql, contentsOf(batch, rows), async () => {
      for (const row of rows) {
        await sql.run('INSERT INTO temp.stage VALUES ($seq::BIGINT, 777, $ts::TIMESTAMPTZ, $op, $table, $data, NULL)', {
          seq: String(row.seq),
          ts: row.ts ?? '2026-11-21 10:00:00.123456+00',
          op: row.op ?? 'I',
          table: row.table ?? 1,
          data: row.data,
        });
      }
    }),
  );
  if (!streams) return staged;
  await engine.run('CREATE OR REPLACE TEMP TABLE streamed AS FROM temp.stage');
  await engine.exclusive(forgetStage);
  return { ...staged, from: ['temp.streamed'], failure: (error) => new SluiceError('stage_failed', String(error), '') };
}

function contentsOf(batch: Batch, rows: readonly StageRow[]): Contents {
  const ids = [...new Set(rows.map(({ table = 1 }) => table))];
  const changes = ids.map((id) => {
    const own = rows.filter(({ table = 1 }) => table === id);
    const lastSeq = String(Math.max(...own.map(({ seq }) => Number(seq))));
    const truncates = own
      .filter(({ op }) => op === 'T')
      .map(({ seq, data }) => ({ seq: String(seq), bound: null, partition: null, ...(data === null ? {} : JSON.parse(data)) }));
    return [id, { rows: own.length, lastSeq, context: false, truncates }];
  });
  return {
    batch: batch.id,
    rows: rows.length,
    bytes: 0,
    toasted: 0,
    sentinel: true,
    tables: { '1': ['public', 'orders', true], '2': ['we"ird', "na'me", true] },
    changes: Object.fromEntries(changes),
  };
}

/** Every implementation of the Lake port keeps these promises. `make` gives a place where no lake is yet. */
export function lakeContract(
  name: string,
  make: () => Promise<{ config: LakeConfig; remove(): Promise<void> }>,
  { streams = false } = {},
): void {
  const stage = (engine: Engine, batch: Batch, rows: readonly StageRow[]) => stageRows(engine, batch, rows, { streams });
  describe(`lake contract: ${name}`, () => {
    let place: { config: LakeConfig; remove(): Promise<void> };
    let engine: Engine;
    let lake: Lake;
    // Loading extensions takes half a second, so engines live as long as the suite; each lake is a new one.
    let otherEngine: Engine;
    let readEngine: Engine;
    let opened: Lake[] = [];

    function another(): { engine: Engine; lake: Lake } {
      const one = openLake(otherEngine, place.config);
      opened.push(one);
      return { engine: otherEngine, lake: one };
    }

    /** What another process's reader sees; a file-based lake is let go meanwhile. */
    async function see(sql: string): Promise<Row[]> {
      await lake.release();
      const reader = await openForQuery(readEngine, place.config);
      try {
        return (await reader.query(sql)).rows;
      } finally {
        await reader.close();
        await lake.acquire();
      }
    }

    beforeAll(async () => {
      const { config, remove } = await make();
      const names = extensionsFor(config, 'fifo');
      await remove();
      engine = await testEngine(names, { threads: 2 });
      otherEngine = await testEngine(names, { threads: 2 });
      readEngine = await testEngine(names, { threads: 1 });
    });
    afterAll(async () => {
      for (const one of [engine, otherEngine, readEngine]) await one?.close();
    });
    beforeEach(async () => {
      place = await make();
      lake = openLake(engine, place.config);
      opened = [lake];
      await lake.acquire();
    });
    afterEach(async () => {
      for (const one of opened) await one.close();
      await place.remove();
    });

    test('a batch arrives whole: log, ledger, anchor', async () => {
      const batch = newBatch();
      const staged = await stage(engine, batch, [
        { seq: 11, data: '{"id":1, "x":2.50}' },
        { seq: '9007199254740993', op: 'D', table: 2, data: null, ts: '2026-11-21 10:00:00.123457+00' },
        { seq: 10, op: 'U', data: '{"a":"\\u0000","b":12345678901234567890.123456789012345678,"e":"🦆\\n"}' },
      ]);
      const applied = await lake.apply(batch, staged, [], identity);
      expect(applied).toEqual({ id: batch.id, batchId: 1, rows: 3, firstSeq: '10', lastSeq: '9007199254740993', changed: [], quiet: true });
      expect(await see('SELECT * EXCLUDE (dl_ts, cdc_uuid, context, table_id) FROM cdc ORDER BY cdc_seq')).toEqual([
        {
          cdc_ts: '2026-11-21 10:00:00.123456+00',
          cdc_op: 'U',
          table_schema: 'public',
          table_name: 'orders',
          data: '{"a":"\\u0000","b":12345678901234567890.123456789012345678,"e":"🦆\\n"}',
          cdc_seq: 10,
          cdc_xid: 777,
          batch_id: 1,
        },
        expect.objectContaining({ cdc_seq: 11, data: '{"id":1, "x":2.50}' }),
        expect.objectContaining({ cdc_seq: '9007199254740993', table_schema: 'we"ird', table_name: "na'me", data: null, cdc_op: 'D' }),
      ]);
      const [ledger] = await see('SELECT * EXCLUDE (dl_ts) FROM sluice.batch');
      expect(ledger).toEqual({
        batch_id: 1,
        batch_uuid: batch.id,
        source_ordinal: batch.ordinal,
        kind: 'swap',
        cut_ts: batch.cut.replace('T', ' ').replace('Z', '+00'),
        rows: 3,
        first_seq: 10,
        last_seq: '9007199254740993',
        system_identifier: identity.systemIdentifier,
        timeline: 1,
        database: 'shop',
        epoch: identity.epoch,
      });
      expect(await see('SELECT last_batch_id FROM sluice.anchor')).toEqual([{ last_batch_id: 1 }]);
      expect(
        await see(
          'SELECT count(DISTINCT c.dl_ts) AS n, bool_and(c.dl_ts = b.dl_ts) AS same FROM cdc c JOIN sluice.batch b USING (batch_id)',
        ),
      ).toEqual([{ n: 1, same: true }]);
      expect(await lake.find(batch.id)).toEqual({ ...applied, quiet: false });
      expect(await lake.source()).toEqual({ ...identity, batch: batch.id, lastCut: batch.cut, lastSeq: applied.lastSeq });
    });

    test('a new lake holds nothing; its uuid is made once', async () => {
      expect(await lake.find(randomUUID())).toBeUndefined();
      expect(await lake.source()).toBeUndefined();
      const [first] = await see('SELECT lake_uuid FROM sluice.anchor');
      await lake.close();
      await lake.acquire();
      expect(await see('SELECT lake_uuid FROM sluice.anchor')).toEqual([first]);
    });

    test('an empty batch writes its ledger row', async () => {
      const batch = newBatch('move');
      const applied = await lake.apply(batch, await stage(engine, batch, []), [], identity);
      expect(applied).toEqual({ id: batch.id, batchId: 1, rows: 0, firstSeq: null, lastSeq: null, changed: [], quiet: true });
      expect(await lake.find(batch.id)).toEqual({ ...applied, quiet: false });
    });

    test('a batch that the ledger has is refused, also by another process, and the lake goes on', async () => {
      const batch = newBatch();
      await lake.apply(batch, await stage(engine, batch, [{ seq: 1, data: '{}' }]), [], identity);
      await expect(lake.apply(batch, await stage(engine, batch, [{ seq: 1, data: '{}' }]), [], identity)).rejects.toMatchObject({
        code: 'lake_already_holds',
      });
      const second = newBatch();
      await lake.apply(second, await stage(engine, second, []), [], identity);
      await expect(lake.apply(batch, await stage(engine, batch, []), [], identity)).rejects.toMatchObject({ code: 'lake_already_holds' });
      await lake.release();
      const other = another();
      await other.lake.acquire();
      await expect(other.lake.apply(batch, await stage(other.engine, batch, []), [], identity)).rejects.toMatchObject({
        code: 'lake_already_holds',
      });
      const next = newBatch();
      await other.lake.apply(next, await stage(other.engine, next, [{ seq: 2, data: '{}' }]), [], identity);
      await other.lake.close();
      await lake.acquire();
      expect(await see('SELECT batch_id, cdc_seq FROM cdc ORDER BY ALL')).toEqual([
        { batch_id: 1, cdc_seq: 1 },
        { batch_id: 3, cdc_seq: 2 },
      ]);
    });

    test('a refused batch leaves nothing, and the next one is applied', async () => {
      const batch = newBatch();
      const other = newBatch();
      await expect(lake.apply(other, await stage(engine, batch, []), [], identity)).rejects.toMatchObject({ code: 'stage_incomplete' });
      // The failure comes at the very end here, when log and ledger are written already.
      await expect(
        lake.apply(batch, await stage(engine, batch, [{ seq: 1, data: '{}' }]), [], { ...identity, timeline: 2 ** 70 }),
      ).rejects.toMatchObject({
        code: 'lake_failed',
      });
      expect(await see('SELECT (SELECT count(*) FROM cdc) AS log, (SELECT count(*) FROM sluice.batch) AS ledger')).toEqual([
        { log: 0, ledger: 0 },
      ]);
      expect(await lake.apply(batch, await stage(engine, batch, [{ seq: 1, data: '{}' }]), [], identity)).toMatchObject({ batchId: 1 });
    });

    test('a batch of which fewer or more rows arrive than the source counted leaves nothing', async () => {
      const batch = newBatch();
      for (const rows of [1, 3]) {
        const staged = await stage(engine, batch, [
          { seq: 1, data: '{}' },
          { seq: 2, data: '{}' },
        ]);
        const wrong = { ...staged, contents: { ...staged.contents, rows } };
        await expect(lake.apply(batch, wrong, [], identity)).rejects.toMatchObject({ code: 'stage_incomplete' });
      }
      expect(await see('SELECT count(*) AS n FROM cdc')).toEqual([{ n: 0 }]);
    });

    test.runIf(streams)('the source fails while the lake logs: said so, and nothing is left', async () => {
      const batch = newBatch();
      const staged = await stage(engine, batch, [{ seq: 1, data: '{}' }]);
      const failing = { ...staged, from: ["(FROM temp.streamed WHERE error('went away') IS NULL)"] };
      await expect(lake.apply(batch, failing, [], identity)).rejects.toMatchObject({ code: 'stage_failed' });
      expect(await lake.apply(batch, await stage(engine, batch, [{ seq: 1, data: '{}' }]), [], identity)).toMatchObject({ batchId: 1 });
    });

    test('changes of a table that the source does not name are delivered under its id', async () => {
      const batch = newBatch();
      await lake.apply(batch, await stage(engine, batch, [{ seq: 1, data: '{}', table: 99 }]), [], identity);
      expect(await see('SELECT table_schema, table_name FROM cdc')).toEqual([{ table_schema: '?', table_name: 'table 99' }]);
    });

    test('cdc_uuid: version 7, the same in a replay, sorted by time, then sequence', async () => {
      const rows: StageRow[] = [];
      for (let i = 0; i < 40; i += 1) {
        const micros = String(Math.floor(i / 2) * 499).padStart(6, '0');
        rows.push({ seq: i % 2 === 0 ? 1000 - i : 2 ** 40 + i, data: '{}', ts: `2026-11-21 10:00:00.${micros}+00` });
      }
      const first = newBatch();
      await lake.apply(first, await stage(engine, first, rows), [], identity);
      const again = newBatch();
      await lake.apply(again, await stage(engine, again, rows.toReversed()), [], identity);
      const uuids = await see('SELECT cdc_uuid::VARCHAR AS u, epoch_ms(cdc_ts) AS ms FROM cdc WHERE batch_id = 1 ORDER BY cdc_ts, cdc_seq');
      expect(uuids.map((row) => row.u)).toEqual(uuids.map((row) => String(row.u)).toSorted());
      expect(new Set(uuids.map((row) => row.u)).size).toBe(40);
      for (const { u, ms } of uuids) {
        expect(u).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
        expect(Number.parseInt(String(u).replaceAll('-', '').slice(0, 12), 16)).toBe(ms);
      }
      const replay = await see('SELECT cdc_uuid::VARCHAR AS u FROM cdc WHERE batch_id = 2 ORDER BY cdc_ts, cdc_seq');
      expect(replay.map((row) => row.u)).toEqual(uuids.map((row) => row.u));
    });

    test('a second writer: the fence names it, and after acquire this one goes on', async () => {
      await lake.release();
      const other = another();
      await other.lake.acquire();
      const theirs = newBatch();
      await other.lake.apply(theirs, await stage(other.engine, theirs, [{ seq: 1, data: '{}' }]), [], identity);
      await other.lake.release();
      const mine = newBatch();
      if (isExclusive(place.config)) await lake.acquire();
      else {
        await expect(lake.apply(mine, await stage(engine, mine, [{ seq: 2, data: '{}' }]), [], identity)).rejects.toMatchObject({
          code: 'lake_conflict',
        });
        await lake.acquire();
      }
      expect(await lake.apply(mine, await stage(engine, mine, [{ seq: 2, data: '{}' }]), [], identity)).toMatchObject({ batchId: 2 });
      expect(await see('SELECT cdc_seq FROM cdc ORDER BY 1')).toEqual([{ cdc_seq: 1 }, { cdc_seq: 2 }]);
    });

    test('two writers at the same time: one batch wins, the other leaves nothing', async () => {
      if (isExclusive(place.config)) {
        // The lock of the file keeps a second process out: test/lake/lock.test.ts.
        await lake.release();
        return;
      }
      const other = another();
      await other.lake.acquire();
      const batch = newBatch();
      const mine = await stage(engine, batch, [{ seq: 1, data: '{}' }]);
      const theirs = await stage(other.engine, batch, [{ seq: 1, data: '{}' }]);
      const outcomes = await Promise.allSettled([lake.apply(batch, mine, [], identity), other.lake.apply(batch, theirs, [], identity)]);
      for (const outcome of outcomes) {
        if (outcome.status === 'rejected') {
          expect(outcome.reason).toMatchObject({ code: expect.stringMatching(/^lake_(conflict|already_holds|locked)$/) });
        }
      }
      expect(outcomes.filter(({ status }) => status === 'fulfilled').length).toBeLessThanOrEqual(1);
      await other.lake.close();
      await lake.acquire();
      if ((await lake.find(batch.id)) === undefined) {
        await lake.apply(batch, await stage(engine, batch, [{ seq: 1, data: '{}' }]), [], identity);
      }
      expect(await see('SELECT (SELECT count(*) FROM cdc) AS log, (SELECT count(*) FROM sluice.batch) AS ledger')).toEqual([
        { log: 1, ledger: 1 },
      ]);
    });

    const gapOf = (epoch: string, more: Partial<Gap> = {}): Gap => ({
      epoch,
      from: '2026-11-21T09:00:00.000001Z',
      to: '2026-11-21T09:05:00.000000Z',
      cause: 'source_crash',
      ...more,
    });

    test('a gap is open until it is closed with what its repair has found; both are idempotent', async () => {
      const [epoch, other] = [randomUUID(), randomUUID()];
      expect(await lake.gaps()).toEqual([]);
      expect(await lake.recordGap(gapOf(epoch, { afterXid: 2n ** 60n }))).toBe(true);
      expect(await lake.recordGap(gapOf(epoch, { to: '2026-11-21T09:06:00Z', afterXid: 2n ** 60n + 1n }))).toBe(false);
      await lake.recordGap(gapOf(other, { cause: 'paused', tables: [2, 1] }));
      expect(await lake.recordGap(gapOf(other, { cause: 'paused', tables: [1, 2] }))).toBe(false);
      const open = await lake.gaps();
      const common = { gapId: expect.stringMatching(/^[0-9a-f-]{36}$/), afterBatch: 0 };
      expect(open).toEqual([
        { ...gapOf(epoch), ...common, to: '2026-11-21T09:06:00.000000Z', tables: null, afterXid: 2n ** 60n + 1n },
        { ...gapOf(other), ...common, cause: 'paused', tables: [1, 2], afterXid: null },
      ]);
      const batch = newBatch();
      expect(await lake.apply(batch, await stage(engine, batch, []), [], identity)).toMatchObject({ batchId: 1 });
      const counts = { missing: 3, different: 2, extra: 1 };
      expect(await lake.closeGap(open[0]?.gapId ?? '', counts)).toBe(true);
      expect(await lake.closeGap(open[0]?.gapId ?? '', { missing: 0, different: 0, extra: 0 })).toBe(false);
      expect(await lake.gaps()).toHaveLength(1);
      const [seen] = await see(
        'SELECT cause, missing, different, extra, closed_ts >= noted_ts AS closed, from_ts FROM sluice.gap WHERE closed_ts IS NOT NULL',
      );
      expect(seen).toEqual({ cause: 'source_crash', ...counts, closed: true, from_ts: '2026-11-21 09:00:00.000001+00' });
      // The same once more, after it was repaired, is another one.
      expect(await lake.recordGap(gapOf(epoch))).toBe(true);
      expect((await lake.gaps())[1]).toMatchObject({ epoch, afterBatch: 1 });
    });

    test('a gap of a restored source or of another lake hides no crash of the same epoch', async () => {
      const epoch = randomUUID();
      const causes = ['source_restored', 'source_restored', 'other_lake', 'source_crash', 'new_epoch'];
      const recorded: boolean[] = [];
      for (const cause of causes) recorded.push(await lake.recordGap(gapOf(epoch, { cause })));
      expect(recorded).toEqual([true, false, true, true, true]);
    });

    test('what is noted or closed while another writer was at work is refused', async () => {
      await lake.recordGap(gapOf(randomUUID()));
      const [open] = await lake.gaps();
      const batch = newBatch();
      const other = another();
      await lake.release();
      await other.lake.acquire();
      await other.lake.apply(batch, await stage(other.engine, batch, []), [], identity);
      await other.lake.close();
      if (isExclusive(place.config)) return; // it had to be opened again, and so looked again
      await expect(lake.closeGap(open?.gapId ?? '', { missing: 0, different: 0, extra: 0 })).rejects.toMatchObject({
        code: 'lake_conflict',
      });
      await lake.acquire();
      expect(await lake.gaps()).toHaveLength(1);
    });

    test('the lake remembers where the source stood at the last gap: that of batches after it counts again', async () => {
      const stand = { epoch: 'b8a9b5f0-0000-4000-8000-000000000002', timeline: 2, batch: randomUUID() };
      const elsewhere = randomUUID();
      await lake.recordGap(gapOf(identity.epoch, { cause: 'other_lake', source: { ...stand, batch: elsewhere } }));
      expect(await lake.source()).toBeUndefined();
      const [first, second] = [newBatch(), newBatch()];
      await lake.apply(first, await stage(engine, first, [{ seq: 7, data: '{}' }]), [], identity);
      expect(await lake.source()).toEqual({ ...identity, batch: first.id, lastCut: first.cut, lastSeq: '7' });
      await lake.recordGap(gapOf(identity.epoch, { source: stand }));
      const after = { systemIdentifier: identity.systemIdentifier, database: identity.database, lastCut: first.cut, lastSeq: '7' };
      expect(await lake.source()).toEqual({ ...after, ...stand });
      await lake.recordGap(gapOf(identity.epoch, { cause: 'paused', tables: [1] }));
      expect(await lake.source()).toEqual({ ...after, ...stand });
      await lake.apply(second, await stage(engine, second, [{ seq: 3, data: '{}' }]), [], { ...identity, epoch: stand.epoch });
      expect(await lake.source()).toEqual({ ...identity, epoch: stand.epoch, batch: second.id, lastCut: second.cut, lastSeq: '7' });
      expect((await lake.accounted([first.id, randomUUID(), stand.batch, elsewhere])).sort()).toEqual(
        [first.id, stand.batch, elsewhere].sort(),
      );
    });

    test('where transactions are numbered from lower on again, no open gap waits for a higher one', async () => {
      for (const afterXid of [5n, 900n, null]) await lake.recordGap(gapOf(randomUUID(), { afterXid }));
      await lake.capGaps(100n);
      expect((await lake.gaps()).map(({ afterXid }) => afterXid)).toEqual([5n, 100n, null]);
    });

    test('acquire and release are idempotent; without acquire nothing is done', async () => {
      await lake.acquire();
      await lake.release();
      await lake.release();
      await lake.acquire();
      expect(await lake.source()).toBeUndefined();
      await lake.close();
      await lake.close();
      await expect(lake.find(randomUUID())).rejects.toMatchObject({ code: 'lake_conflict' });
    });
  });
}
