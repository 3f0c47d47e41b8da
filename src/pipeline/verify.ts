import type { Source } from './ports.ts';

/** Has each table verified from time to time: asks for loads as people do, one at a time. */
export interface Verifier {
  /** Ask for the next one if one is due. Cheap to call after each drain. */
  step(): Promise<void>;
}

/** What is due is looked for this often at most, and ten times an interval. */
const LOOK_MS = 60_000;

/** @param intervalMs from the end of one verification of a table to the next one; undefined: never */
export function createVerifier({
  source,
  intervalMs,
}: {
  source: Pick<Source, 'requestDueVerify'>;
  intervalMs?: number | undefined;
}): Verifier {
  let notBefore = 0;
  return {
    async step() {
      if (intervalMs === undefined || Date.now() < notBefore) return;
      notBefore = Date.now() + Math.min(LOOK_MS, intervalMs / 10);
      await source.requestDueVerify(intervalMs);
    },
  };
}
