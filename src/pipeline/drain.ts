import type { Logger } from 'pino';
import type { Applied, Batch } from '../model/batch.ts';
import { SluiceError } from '../model/error.ts';
import type { AtPoint } from './crash-points.ts';
import { recordLoss } from './match.ts';
import type { Lake, Source, Stager } from './ports.ts';
import type { Taker } from './take.ts';
import type { Looked, Watch } from './watch.ts';

export interface DrainPorts {
  readonly source: Source;
  readonly lake: Lake;
  readonly stager: Stager;
  readonly taker: Taker;
  readonly watch: Watch;
  readonly log: Logger;
  readonly at: AtPoint;
}

/**
 * What one call did: nothing was waiting, or one batch reached the lake. news: a loader has to look, for somebody asks for a load, or something such as a
 * new table or a gap came to the lake.
 */
export type Drained =
  | { readonly kind: 'idle'; readonly news: boolean }
  | { readonly kind: 'batch'; readonly batch: Batch; readonly applied: Applied; readonly recovered: boolean; readonly news: boolean };

/**
 * Carry one batch from the buffer into the lake, exactly once.
 *
 * The state lies in the databases, never in this process: an open batch at the source is either in the ledger (finish it) or not (stage
 * and apply it). So any step may fail or be killed, and the next call goes on from there:
 *
 *   no batch open ──swap/move──► open ──settle──► durable ──stage, apply──► in the ledger ──finish──► done
 *
 * Fences: `finish` and the ledger know a batch by its random id; the lake's anchor stops a second writer; the advisory lock only saves
 * two daemons from working in vain. Held by test/crash (every point of CRASH_POINTS) and test/pg (the SQL functions' own fences).
 *
 * Where nothing waits, tables that DDL has changed meanwhile are followed by themselves, every ten seconds; `watchNow`: now.
 *
 * @throws SluiceError, or an error of either database; nothing to clean up, call again
 */
export async function drain(ports: DrainPorts, { watchNow = false } = {}): Promise<Drained> {
  const { source, taker, watch, log, at } = ports;
  const [found] = await Promise.all([source.look(), source.assertLeading()]);
  let batch = found.open;
  const recovered = batch !== undefined;
  let news = false;
  if (!batch) {
    news = found.requested;
    if (!found.sentinel && (await recordLoss(ports))) news = true;
    if (!found.pending) {
      const changed = await watch.look(watchNow);
      if ((await follow(ports, changed)) || changed.requested) news = true;
      return { kind: 'idle', news };
    }
    batch = await taker.take();
    if (!batch) return { kind: 'idle', news };
  }
  await at('before-settle');
  await source.settle(batch);
  await at('after-settle');
  const applied = await inLake(ports, batch, recovered);
  // Captured right all the same, only more slowly: so a crash that leaves this out does no harm.
  await source.refresh(applied.changed);
  await at('before-finish');
  await source.finish(batch, applied.rows);
  await at('after-finish');
  log.info({ batch: batch.id, batchId: applied.batchId, rows: applied.rows, kind: batch.kind, cut: batch.cut, recovered }, 'batch done');
  return { kind: 'batch', batch, applied, recovered, news: news || !applied.quiet };
}

/** The ledger's row of this batch, applied first if need be. The lake is let go again before the source is asked to finish. */
async function inLake(ports: DrainPorts, batch: Batch, recovered: boolean): Promise<Applied> {
  try {
    return (recovered && (await findApplied(ports.lake, batch))) || (await carry(ports, batch));
  } finally {
    await ports.lake.release();
  }
}

async function findApplied(lake: Lake, batch: Batch): Promise<Applied | undefined> {
  await lake.acquire();
  return lake.find(batch.id);
}

async function carry(ports: DrainPorts, batch: Batch): Promise<Applied> {
  const { source, stager, lake, watch, at } = ports;
  await at('before-stage');
  const contents = await source.contents(batch);
  if (contents.batch !== batch.id) {
    throw new SluiceError(
      'stage_other_batch',
      `Batch ${contents.batch} is open instead of ${batch.id}`,
      'None: another daemon was at work; this one looks again.',
    );
  }
  const lost = !contents.sentinel && (await recordLoss(ports));
  const staging = stager.stage(source.reader(batch), contents);
  // Asked beside it, for each takes a round trip or two. All after the swap: the batch has no change that is younger than these columns.
  const asked = Promise.all([source.identity(), source.tables(Object.keys(contents.changes).map(Number)), source.assertLeading()]);
  asked.catch(() => undefined);
  const staged = await staging;
  try {
    const [identity, read] = await asked;
    await at('after-stage');
    // Only now: a lake that is one file is held, and so kept from readers, for as short as can be.
    await lake.acquire();
    const changed = await watch.look();
    // Tables too that the lake does not know yet: they are followed once.
    // Those that the watch names once more: it must not take for followed what was done to a table since it was read.
    const has = new Set(read.map(({ id }) => id));
    const lacking = new Set([...(await lake.concerned(contents)).filter((id) => !has.has(id)), ...changed.ids]);
    const tables = [...read.filter(({ id }) => !lacking.has(id)), ...(await source.tables([...lacking]))];
    await at('before-apply');
    const applied = await lake.apply(batch, staged, tables, identity);
    await at('after-apply');
    changed.followed();
    return lost ? { ...applied, quiet: false } : applied;
  } finally {
    await staged.close();
  }
}

/**
 * DDL on tables that have no changes. DDL waits for everyone who has changed the table, so all changes from before it are committed when its columns
 * are read here; if the buffer is empty after that, the lake has them all. Else they wait under the names of before, and go with their batch.
 */
async function follow({ source, lake, log, at }: DrainPorts, changed: Looked): Promise<boolean> {
  if (changed.ids.length === 0) return false;
  try {
    await lake.acquire();
    const tables = await source.tables(changed.ids);
    const identity = await source.identity();
    if ((await source.look()).pending) return false;
    await source.assertLeading();
    await at('before-follow');
    const followed = await lake.follow(changed.cut, tables, identity);
    await at('after-follow');
    await source.refresh(changed.ids);
    changed.followed();
    if (followed > 0) log.info({ tables: followed }, 'schema changes followed');
    return followed > 0;
  } finally {
    await lake.release();
  }
}
