import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Batch } from '../model/batch.ts';
import type { AtPoint } from './crash-points.ts';
import type { Source } from './ports.ts';

/** Takes what the buffer holds away as a batch. */
export interface Taker {
  /** Undefined: the buffer was empty. */
  take(): Promise<Batch | undefined>;
}

/** Swaps tried before a move. Each may hold writers up for lock_timeout, so few. */
const ATTEMPTS = 3;
/** After a swap was refused, how long to move without trying one, growing to the maximum while it stays refused. */
const FIRST_PAUSE_MS = 1_000;
const LONGEST_PAUSE_MS = 30_000;

/**
 * Swap; where a transaction that stays open holds the buffer, try again with jitter, then move the committed rows instead.
 * While it stays open, go on by moves and try a swap only now and then: each try may hold up writers, for lock_timeout at most.
 */
export function createTaker({
  source,
  log,
  at,
  lockTimeoutMs,
}: {
  source: Source;
  log: Logger;
  at: AtPoint;
  lockTimeoutMs: number;
}): Taker {
  let pauseMs = 0;
  let swapAgainAt = 0;

  async function trySwap(): Promise<{ batch: Batch | undefined } | undefined> {
    for (let attempt = 1; attempt <= ATTEMPTS; attempt++) {
      try {
        await at('before-swap');
        const batch = await source.swap();
        await at('after-swap');
        return { batch };
      } catch (error) {
        if ((error as { code?: unknown }).code !== '55P03') throw error;
        if (attempt < ATTEMPTS) await sleep(lockTimeoutMs * (1 + 2 * Math.random()));
      }
    }
    return undefined;
  }

  return {
    async take() {
      if (Date.now() >= swapAgainAt) {
        const swapped = await trySwap();
        if (swapped) {
          pauseMs = 0;
          return swapped.batch;
        }
        pauseMs = Math.min(Math.max(pauseMs * 2, FIRST_PAUSE_MS), LONGEST_PAUSE_MS);
        swapAgainAt = Date.now() + pauseMs * (0.75 + 0.5 * Math.random());
        log.warn({ nextSwapMs: swapAgainAt - Date.now() }, 'a long transaction holds the buffer: moving rows until it ends');
      }
      await at('before-move');
      const batch = await source.move();
      await at('after-move');
      return batch;
    },
  };
}
