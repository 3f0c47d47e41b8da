import type { Logger } from 'pino';
import { classify } from '../model/fault.ts';
import type { AtPoint } from './crash-points.ts';
import type { Lake, Source } from './ports.ts';

/** When the buffer may be too large for the source's disk, and whose changes are given up then. */
export interface GuardLimit {
  readonly bytes: number;
  readonly pauses: (table: { readonly schema: string; readonly name: string }) => boolean;
}

export interface GuardOptions {
  readonly source: Source;
  readonly lake: Lake;
  readonly log: Logger;
  readonly at: AtPoint;
  /** Undefined: nothing is ever paused; what an earlier daemon has paused is resumed all the same. */
  readonly limit?: GuardLimit | undefined;
}

/**
 * Keeps the buffer from filling the application's disk while the lake is away: capture of chosen tables is paused, and resumed once the buffer has been
 * delivered. What was not logged is a gap in the lake, with its span and tables, which the repair of open gaps closes.
 *
 * The state lies in the source (audit.tracked_table), so that a kill at any point neither loses the pause nor forgets the gap:
 *
 *   captured ──pause──► paused ──resume──► captured, gap to be named ──recordGap, forgetPause──► captured
 *
 * A gap that is recorded twice is one; a table that must be paused again before its gap is named goes on with the pause that it had.
 * Held by test/crash/guard.test.ts (every point), test/pg/pause.test.ts (the SQL) and test/e2e/disk-guard.test.ts.
 */
export interface Guard {
  /** A round of drains begins. */
  begun(): void;
  /** A drain brought what there was; `idle`: nothing is left. Rejects as a drain does. */
  delivered(idle: boolean): Promise<void>;
  failed(): void;
  /** The round is over, however. */
  ended(): void;
  /** Look at the buffer, also while a drain is at work. Never rejects. Cheap, and without a query while the lake is there. */
  check(): Promise<void>;
}

/** Less than the lake's restart is no reason to give changes up. */
const AWAY_AFTER_MS = 5_000;
/** A drain that neither ends nor fails: the lake's network swallows what is sent. A batch of 10 million changes takes 45 s. */
const STUCK_AFTER_MS = 60_000;

export function createGuard({ source, lake, log, at, limit }: GuardOptions): Guard {
  /** When the drain at work began, and since when none has succeeded. */
  let begun: number | undefined;
  let failing: number | undefined;
  /** Whether a table is, or may be, paused. */
  let paused = true;
  let warned: string | undefined;

  const isAway = () =>
    (failing !== undefined && Date.now() - failing > AWAY_AFTER_MS) || (begun !== undefined && Date.now() - begun > STUCK_AFTER_MS);

  async function pause({ bytes, pauses }: GuardLimit): Promise<void> {
    const size = await source.bufferBytes();
    if (size <= bytes) return;
    const tables = (await source.captures()).filter((table) => table.paused !== 'yes' && pauses(table));
    if (tables.length === 0) return;
    // Only the leader knows that nobody delivers.
    await source.assertLeading();
    paused = true;
    await at('before-pause');
    await source.pause(tables.map(({ id }) => id));
    await at('after-pause');
    log.error(
      { bytes: size, limit: bytes, tables: tables.map(({ schema, name }) => `${schema}.${name}`) },
      'the lake is away and the buffer is larger than disk_guard.limit: changes of these tables are not captured until it is back',
    );
  }

  async function resume(): Promise<void> {
    const ids = (await source.captures()).filter((table) => table.paused === 'yes').map(({ id }) => id);
    if (ids.length === 0) return;
    await at('before-resume');
    await source.resume(ids);
    await at('after-resume');
    log.info({ tables: ids.length }, 'changes of paused tables are captured again');
  }

  /** Name what was lost, then forget the pause: in this order, so that a crash between the two repeats the first instead of forgetting it. */
  async function nameGaps(): Promise<void> {
    for (const span of await source.pausedSpans()) {
      const { epoch, from, to, tables, afterXid } = span;
      await lake.acquire();
      try {
        await at('before-paused-gap');
        await lake.recordGap({ ...span, cause: 'paused' });
        await at('after-paused-gap');
      } finally {
        await lake.release();
      }
      await at('before-forget-pause');
      await source.forgetPause(span);
      await at('after-forget-pause');
      log.error(
        { epoch, from, to, tables, afterXid: String(afterXid) },
        'capture was paused: changes of this span and these tables are not in the lake',
      );
    }
  }

  return {
    begun: () => {
      begun = Date.now();
    },
    ended: () => {
      begun = undefined;
    },
    failed: () => {
      failing ??= Date.now();
      // Another daemon may lead meanwhile.
      paused = true;
    },
    async delivered(idle) {
      [begun, failing] = [Date.now(), undefined];
      if (!paused) return;
      // Under a load that never lets the buffer be empty, half the limit is delivered enough.
      if (idle || limit === undefined || (await source.bufferBytes()) < limit.bytes / 2) await resume();
      await nameGaps();
      paused = (await source.captures()).some((table) => table.paused !== 'no');
    },
    async check() {
      if (limit === undefined || !isAway()) return;
      try {
        await pause(limit);
        warned = undefined;
      } catch (error) {
        const { code, message, remedy } = classify(error);
        // Each second, so said once; that the source is away says the drain, and one that stands by has nothing to say.
        if (code !== warned && code !== 'leadership_lost' && code !== 'source_unreachable')
          log.warn({ code, remedy }, `the buffer is not guarded: ${message}`);
        warned = code;
      }
    },
  };
}
