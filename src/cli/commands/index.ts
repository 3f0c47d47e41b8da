import type { Register } from '../context.ts';
import { register as doctor } from './doctor.ts';
import { register as extensions } from './extensions.ts';
import { register as init } from './init.ts';
import { register as install } from './install.ts';
import { register as query } from './query.ts';
import { register as rebuild } from './rebuild.ts';
import { register as reset } from './reset.ts';
import { register as run } from './run.ts';
import { register as snapshot } from './snapshot.ts';
import { register as sql } from './sql.ts';
import { register as status } from './status.ts';
import { register as track } from './track.ts';
import { register as uninstall } from './uninstall.ts';
import { register as untrack } from './untrack.ts';
import { register as verify } from './verify.ts';

/** In the order in which help lists them: the order in which a newcomer meets them. */
export const commands: readonly Register[] = [
  init,
  install,
  sql,
  track,
  untrack,
  run,
  status,
  query,
  verify,
  snapshot,
  reset,
  rebuild,
  doctor,
  extensions,
  uninstall,
];
