import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { OpenGap } from '../model/gap.ts';
import type { GapLoad, Lake, LoadRequest, Source } from './ports.ts';

/**
 * Have what open gaps concern loaded, and close those of which all is. A gap of which a transaction from before may still commit what nobody captured
 * is repaired at once, and again when they have all ended.
 * @returns whether a gap stays open that no load is waiting for: look again later
 */
export async function repairGaps({ source, lake, log }: { source: Source; lake: Lake; log: Logger }): Promise<boolean> {
  const gaps = await lake.gaps();
  if (gaps.length === 0) return false;
  const known = await lake.loads.tables();
  const oldest = await source.oldestXid();
  const wanted: LoadRequest[] = [];
  let waits = false;
  for (const gap of gaps) {
    const loads = await lake.loads.ofGap(gap.gapId);
    const states = (gap.tables ?? known)
      .filter((id) => known.includes(id))
      .map((tableId) => ({ tableId, state: stateOf(gap, tableId, loads, oldest) }));
    for (const { tableId, state } of states)
      if (state === 'wanted') wanted.push({ id: randomUUID(), tableId, mode: 'compare', sample: null, gapId: gap.gapId });
    waits ||= states.some(({ state }) => state === 'early');
    if (states.some(({ state }) => state !== 'repaired')) continue;
    const sum = (of: 'missing' | 'different' | 'extra') => loads.reduce((all, load) => all + load[of], 0);
    const repaired = { missing: sum('missing'), different: sum('different'), extra: sum('extra') };
    await lake.closeGap(gap.gapId, repaired);
    log.info({ gap: gap.gapId, cause: gap.cause, ...repaired }, 'gap repaired');
  }
  if (wanted.length > 0) await lake.loads.request(wanted);
  return waits;
}

/** early: repaired as far as can be, until older transactions have ended. */
function stateOf(gap: OpenGap, tableId: number, loads: readonly GapLoad[], oldest: bigint): 'wanted' | 'asked' | 'early' | 'repaired' {
  const mine = loads.filter((load) => load.tableId === tableId && (load.batchId === null || load.batchId > gap.afterBatch));
  if (mine.some(({ done }) => !done)) return 'asked';
  const settled = (xid: bigint) => gap.afterXid === null || xid >= gap.afterXid;
  // A load without a number found its table gone.
  if (mine.some(({ batchId, horizon }) => batchId === null || settled(BigInt(horizon ?? 0)))) return 'repaired';
  return mine.length > 0 && !settled(oldest) ? 'early' : 'wanted';
}
