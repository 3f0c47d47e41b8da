export { type AtPoint, CRASH_POINTS, type CrashPoint } from './crash-points.ts';
export { type Drained, type DrainPorts, drain } from './drain.ts';
export { createGuard, type Guard, type GuardLimit } from './guard.ts';
export { createLoader, type Loader } from './load.ts';
export { assertSameSource, type Compared, findGap, matchLake } from './match.ts';
export type { BatchReader, Lake, Source, Stager } from './ports.ts';
export { createRetention, type Retention } from './retention.ts';
export { createTaker, type Taker } from './take.ts';
export { createWatch, type Watch } from './watch.ts';
