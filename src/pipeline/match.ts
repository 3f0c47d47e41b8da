import type { Logger } from 'pino';
import type { Gap, LakeSource, Missed, SourceIdentity } from '../model/batch.ts';
import { SluiceError } from '../model/error.ts';
import type { Lake, Source } from './ports.ts';

/**
 * Hold source and lake against each other before the first drain of a leadership: the lake must be this source's, and what the source
 * finished without this lake is named as a gap.
 * @throws SluiceError lake_of_another_source
 */
export async function matchLake({ source, lake, log }: { source: Source; lake: Lake; log: Logger }): Promise<SourceIdentity> {
  const identity = await source.identity();
  await lake.acquire();
  try {
    const known = await lake.source();
    assertSameSource(known, identity);
    const gap = findGap(known, identity, await source.missed(known?.lastOrdinal ?? 0));
    // Until the next batch, every leadership finds the same gap again: only the first is news.
    if (gap && (await lake.recordGap(gap))) {
      log.error(gap, 'source and lake do not match: changes of this span are not in this lake');
    }
  } finally {
    await lake.release();
  }
  return identity;
}

/**
 * Refuse a lake that another source has filled. A lake without a batch is anybody's.
 * @throws SluiceError lake_of_another_source
 */
export function assertSameSource(known: SourceIdentity | undefined, identity: SourceIdentity): void {
  if (!known || (known.systemIdentifier === identity.systemIdentifier && known.database === identity.database)) return;
  throw new SluiceError(
    'lake_of_another_source',
    `The lake was filled from database ${known.database} of cluster ${known.systemIdentifier}; this is ${identity.database} of ${identity.systemIdentifier}`,
    'Give each source a lake of its own (lake.catalog and lake.data, or lake.path).',
  );
}

/** What this lake lacks of what its source has finished. Pure. */
export function findGap(known: LakeSource | undefined, { epoch }: SourceIdentity, source: Missed): Gap | undefined {
  // Schema audit was dropped and installed again. A crash has named its gap already, by the same epoch, and this one is then not written.
  if (known && known.epoch !== epoch) return { epoch: known.epoch, from: known.lastCut, to: source.epochStart, cause: 'new_epoch' };
  if (source.lastMissedCut !== null) {
    return { epoch, from: known?.lastCut ?? source.epochStart, to: source.lastMissedCut, cause: 'other_lake' };
  }
  if (known && source.lastOrdinal < known.lastOrdinal) {
    return { epoch, from: source.lastCut ?? source.epochStart, to: source.now, cause: 'source_restored' };
  }
  return undefined;
}
