import fc from 'fast-check';

/** To make a counterexample small, once one is found. */
const SHRINK_SECONDS = 60;

/** A test that searches for `seconds` may take this long, in milliseconds. */
export const searchTimeout = (seconds: number): number => (seconds + 2 * SHRINK_SECONDS + 60) * 1000;

/** How long to search: SLUICE_PROPERTY_SECONDS, for one that wants more than a test run can give. */
export const searchSeconds = (otherwise: number): number => Number(process.env.SLUICE_PROPERTY_SECONDS ?? otherwise);

/** Where a landing begins: what it did not break must not refuse it, so it looks at the same values as the one before. */
const LANDING_SEED = 4;

/** Where to begin: SLUICE_PROPERTY_SEED; else, where CI is set, always at the same seed; else at a random one. */
function firstSeed({ SLUICE_PROPERTY_SEED: chosen, CI }: NodeJS.ProcessEnv): number {
  if (chosen !== undefined) return Number(chosen);
  return CI ? LANDING_SEED : Math.floor(Math.random() * 2 ** 31);
}

/** Random numbers below 1 (mulberry32) that begin at the seed which a test names when it fails. */
export function seeded(): { readonly seed: number; readonly random: () => number } {
  const seed = firstSeed(process.env);
  let state = seed;
  const random = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  return { seed, random };
}

/**
 * Try random values for so long, at least one. A failure is repeated and made smaller, and names the seed that repeats it:
 * SLUICE_PROPERTY_SEED begins there. In CI the values are always the same, as many as there is time for; new ones are for searches by hand or by
 * schedule, longer than a landing can wait (CONTRIBUTING.md has the command).
 * fast-check's own time limit would leave the last run behind at work while its database is dropped; so this one lets every run end.
 * @returns how many values were tried
 */
export async function search<T>(arbitrary: fc.Arbitrary<T>, seconds: number, attempt: (value: T) => Promise<void>): Promise<number> {
  let runs = 0;
  let end = Date.now() + seconds * 1000;
  const property = fc.asyncProperty(arbitrary, async (value) => {
    if (runs > 0 && Date.now() > end) return;
    runs++;
    await attempt(value);
  });
  for (let seed = firstSeed(process.env); runs === 0 || Date.now() < end; seed++) {
    const { failed, counterexamplePath, errorInstance } = await fc.check(property, { seed, numRuns: 50, endOnFailure: true });
    if (!failed) continue;
    end = Date.now() + SHRINK_SECONDS * 1000;
    await fc.assert(property, { seed, numRuns: 50, ...(counterexamplePath ? { path: counterexamplePath } : {}) });
    throw new Error(`it failed once, but not when it was repeated (seed ${seed}, path ${counterexamplePath})`, { cause: errorInstance });
  }
  return runs;
}
