export { type AtPoint, CRASH_POINTS, type CrashPoint } from './crash-points.ts';
export { type Drained, type DrainPorts, drain } from './drain.ts';
export { createLoader, type Loader, type LoaderOptions } from './load.ts';
export { assertSameSource, findGap, matchLake } from './match.ts';
export type { BatchReader, Lake, Source, Stager } from './ports.ts';
export { createTaker, type Taker } from './take.ts';
export { createVerifier, type Verifier } from './verify.ts';
export { createWatch, type Watch } from './watch.ts';
