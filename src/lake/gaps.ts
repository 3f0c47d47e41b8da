import type { Gap, OpenGap, Repaired } from '../model/gap.ts';
import type { Sql } from './engine.ts';
import { statement } from './statement.ts';

/** Note a gap, in the lake's transaction. Returns whether it is new. */
export async function recordGap(sql: Sql, gap: Gap, lastBatchId: number): Promise<boolean> {
  const noted = {
    epoch: gap.epoch,
    from: gap.from,
    to: gap.to,
    cause: gap.cause,
    tables: gap.tables == null ? null : JSON.stringify([...gap.tables].sort((a, b) => a - b)),
    after_xid: gap.afterXid?.toString() ?? null,
    after_batch: lastBatchId,
    source_epoch: gap.source?.epoch ?? null,
    source_timeline: gap.source?.timeline ?? null,
    source_batch: gap.source?.batch ?? null,
  };
  if ((await sql.run(statement('gap_again'), noted)) > 0) return false;
  await sql.run(statement('gap'), noted);
  return true;
}

export async function readGaps(sql: Sql): Promise<OpenGap[]> {
  const rows = await sql.rows(statement('gaps'));
  return rows.map((row) => ({
    gapId: String(row.gap_id),
    epoch: String(row.epoch),
    from: String(row.from),
    to: String(row.to),
    cause: String(row.cause),
    tables: row.tables === null ? null : JSON.parse(String(row.tables)),
    afterXid: row.after_xid === null ? null : BigInt(String(row.after_xid)),
    afterBatch: Number(row.after_batch),
  }));
}

export async function closeGap(sql: Sql, gapId: string, { missing, different, extra }: Repaired): Promise<boolean> {
  return (await sql.run(statement('gap_close'), { gap_id: gapId, missing, different, extra })) > 0;
}

export async function capGaps(sql: Sql, xid: bigint): Promise<void> {
  await sql.run('UPDATE lake.sluice.gap SET after_xid = $xid::BIGINT WHERE closed_ts IS NULL AND after_xid > $xid::BIGINT', {
    xid: String(xid),
  });
}
