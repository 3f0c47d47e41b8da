import type { Logger } from 'pino';
import { classify } from '../model/fault.ts';
import type { AtPoint } from './crash-points.ts';
import type { Lake, Source } from './ports.ts';

export interface Retention {
  /**
   * Take a slice of what is too old away, if it is time to: once after a start, then every hour until nothing is left. To be called between two batches.
   * Returns whether there is more to do at once. Rejects with faults that may pass; any other is logged, for the drain must go on.
   */
  step(): Promise<boolean>;
}

export interface RetentionOptions {
  readonly source: Pick<Source, 'assertLeading'>;
  readonly lake: Lake;
  readonly log: Logger;
  readonly at: AtPoint;
  /** How old a change may become; undefined: as old as it likes. */
  readonly retainMs?: number | undefined;
}

const INTERVAL_MS = 3_600_000;

export function createRetention({ source, lake, log, at, retainMs }: RetentionOptions): Retention {
  let notBefore = 0;
  return {
    async step() {
      if (retainMs === undefined || Date.now() < notBefore) return false;
      try {
        await source.assertLeading();
        await lake.acquire();
        await at('before-retain');
        const done = await lake.retain(new Date(Date.now() - retainMs).toISOString());
        await at('after-retain');
        if (done?.more) return true;
        if (done !== undefined) log.info({ since: done.cut, batchId: done.batchId }, 'changes that are too old were taken away');
      } catch (error) {
        const { retry, code, message, remedy } = classify(error);
        if (retry) throw error;
        log.error({ code, remedy }, `old changes were not taken away: ${message}`);
      } finally {
        await lake.release();
      }
      notBefore = Date.now() + INTERVAL_MS;
      return false;
    },
  };
}
