import { asof } from './asof.ts';
import { delivery } from './delivery.ts';
import { growthBatch } from './growth-batch.ts';
import { growthState } from './growth-state.ts';
import { growthTables } from './growth-tables.ts';
import { idle } from './idle.ts';
import { latency } from './latency.ts';
import { peers } from './peers/peers.ts';
import type { Suite } from './result.ts';
import { snapshot } from './snapshot.ts';
import { source } from './source/source.ts';
import { stalls } from './stalls.ts';

/** All that `npm run bench` measures, in this order; a section has the name of its suite. */
export const SUITES: Readonly<Record<string, Suite>> = {
  source,
  delivery,
  latency,
  snapshot,
  peers,
  stalls,
  idle,
  'growth-batch': growthBatch,
  'growth-state': growthState,
  'growth-tables': growthTables,
  asof,
};
