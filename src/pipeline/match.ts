import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import type { FinishedBatch, LakeSource, SourceIdentity, Standing } from '../model/batch.ts';
import { SluiceError } from '../model/error.ts';
import type { Gap } from '../model/gap.ts';
import type { AtPoint } from './crash-points.ts';
import type { Lake, Source } from './ports.ts';

interface Ports {
  readonly source: Source;
  readonly lake: Lake;
  readonly log: Logger;
}

/** Where the source stands, seen from the lake. */
export interface Compared extends Standing {
  /** The newest batch that the source has finished and the lake accounts for: until its cut both are the same. */
  readonly shared: FinishedBatch | undefined;
}

/**
 * Hold source and lake against each other before the first drain of a leadership: the lake must be this source's, what one of them has finished
 * without the other is named as a gap, and numbers that have stepped back with the source are put right. A buffer that a crash has emptied is left to
 * `recordLoss`, which the drain calls next.
 * @throws SluiceError lake_of_another_source
 */
export async function matchLake({ source, lake, log }: Ports): Promise<SourceIdentity> {
  const identity = await source.identity();
  await lake.acquire();
  try {
    const known = await lake.source();
    assertSameSource(known, identity);
    if (known && known.lastSeq !== null && (await source.advance(known.lastSeq))) {
      log.warn({ above: known.lastSeq }, 'the sequence of changes was behind the lake: moved on');
    }
    await capGaps({ source, lake });
    const compared = await compare({ source, lake }, known);
    const gap = compared.sentinel ? findGap(known, identity, compared) : undefined;
    if (gap) {
      const stand = { epoch: identity.epoch, timeline: identity.timeline, batch: compared.newest?.id ?? null };
      const { epoch, from, to, cause } = gap;
      await lake.recordGap({ ...gap, afterXid: await source.currentXid(), source: stand });
      log.error({ epoch, from, to, cause }, 'source and lake do not match: changes of this span are not in this lake');
    }
  } finally {
    await lake.release();
  }
  return identity;
}

/**
 * The buffer was emptied by a crash of the source: name the span in the lake, then begin a new epoch. In this order, so that a crash between
 * the two repeats the first instead of forgetting it. Returns whether there was something to name.
 */
export async function recordLoss({ source, lake, log, at }: Ports & { readonly at: AtPoint }): Promise<boolean> {
  const span = await source.lostSpan();
  if (!span) return false; // another daemon was here in between
  const { epoch, to } = span;
  const identity = await source.identity();
  await lake.acquire();
  const known = await lake.source();
  const { newest, shared, epochStart } = await compare({ source, lake }, known);
  // A standby that was promoted while behind does not know the last batches of the lake: what they brought is to be taken back.
  const from = earliest([span.from, shared?.cut ?? earliest([epochStart, known?.lastCut ?? epochStart])]);
  const cause = known && known.timeline !== identity.timeline ? 'failover' : 'source_crash';
  const next = randomUUID();
  const stand = { epoch: next, timeline: identity.timeline, batch: newest?.id ?? null };
  await at('before-gap');
  await lake.recordGap({ epoch, from, to, cause, afterXid: await source.currentXid(), source: stand });
  await at('after-gap');
  await lake.release();
  await at('before-epoch');
  await source.beginEpoch(next);
  await at('after-epoch');
  log.error({ epoch, from, to, cause }, 'the buffer was emptied by a crash or failover of the source: changes of this span are lost');
  return true;
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

/**
 * What this lake lacks of what its source has finished, or holds of what the source has lost. Pure.
 *
 * Batches are compared by their random ids alone: a source that was set back counts up to the lake's last ordinal again.
 */
export function findGap(known: LakeSource | undefined, identity: SourceIdentity, compared: Compared): Omit<Gap, 'afterXid'> | undefined {
  const { shared, newest, knows, epochStart, now } = compared;
  const elsewhere = newest !== null && newest.id !== shared?.id ? newest.cut : undefined;
  if (known && !knows && (shared !== undefined || known.epoch === identity.epoch)) {
    const cause = known.timeline === identity.timeline ? 'source_restored' : 'failover';
    return { epoch: identity.epoch, from: shared?.cut ?? epochStart, to: now, cause };
  }
  // Schema audit was dropped and installed again, or a crash was noted in another lake.
  if (known && known.epoch !== identity.epoch) {
    return { epoch: known.epoch, from: known.lastCut, to: elsewhere ?? epochStart, cause: 'new_epoch' };
  }
  if (elsewhere !== undefined) return { epoch: identity.epoch, from: shared?.cut ?? epochStart, to: elsewhere, cause: 'other_lake' };
  return undefined;
}

async function compare({ source, lake }: Pick<Ports, 'source' | 'lake'>, known: LakeSource | undefined): Promise<Compared> {
  const standing = await source.standing(known?.batch ?? null);
  return { ...standing, shared: await findShared({ source, lake }, standing.newest) };
}

async function findShared(
  { source, lake }: Pick<Ports, 'source' | 'lake'>,
  newest: FinishedBatch | null,
): Promise<FinishedBatch | undefined> {
  if (newest === null) return undefined;
  // Nearly always it is the newest; the lake is asked of thousands only where the two have parted.
  for (let page = [newest]; page.length > 0; page = await source.finished(page.at(-1)?.ordinal)) {
    const held = new Set(await lake.accounted(page.map(({ id }) => id)));
    const shared = page.find(({ id }) => held.has(id));
    if (shared !== undefined) return shared;
  }
  return undefined;
}

/** A restore or a failover sets transaction ids back: an open gap would wait for a number that may take years to come. */
async function capGaps({ source, lake }: Pick<Ports, 'source' | 'lake'>): Promise<void> {
  const waits = (await lake.gaps()).map(({ afterXid }) => afterXid).filter((xid) => xid !== null);
  if (waits.length === 0) return;
  const current = await source.currentXid();
  if (waits.some((xid) => xid > current)) await lake.capGaps(current);
}

function earliest(times: readonly [string, string]): string {
  return Date.parse(times[1]) < Date.parse(times[0]) ? times[1] : times[0];
}
