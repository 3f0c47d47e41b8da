import { setTimeout as sleep } from 'node:timers/promises';
import { SluiceError } from '../model/error.ts';

/** How long a command waits for a file-based lake that the daemon holds during a batch. */
const PATIENCE_MS = 10_000;

/** Try again, for a while, what fails because the daemon holds the lake's file: it lets go between batches. */
export async function whileLocked<T>(attempt: () => Promise<T>): Promise<T> {
  const end = Date.now() + PATIENCE_MS;
  for (;;) {
    try {
      return await attempt();
    } catch (error) {
      if (!(error instanceof SluiceError) || error.code !== 'lake_locked' || Date.now() > end) throw error;
      await sleep(50 + 100 * Math.random());
    }
  }
}
