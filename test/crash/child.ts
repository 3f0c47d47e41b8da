/**
 * A daemon that dies on cue, for the crash suite: `node child.ts '{"config": …, "point": …, "hit": n, "action": "kill" | "stop"}'`.
 * Without a point, or with `"once": true`, it drains until the buffer is empty; with `"daemon": true` it runs until it is stopped by a signal.
 * The product has no such switch: the suite composes the same parts with a hook of its own.
 */

import pino from 'pino';
import { withTempDirectory } from '../../src/cli/lake.ts';
import { loadConfig } from '../../src/config/index.ts';
import { Daemon, drainOnce } from '../../src/daemon/index.ts';
import type { CrashPoint } from '../../src/pipeline/index.ts';
import { composeForTest } from '../support/compose.ts';

export interface ChildOptions {
  readonly config: string;
  readonly point?: CrashPoint;
  /** At the how-manyth time the point is reached; default 1. */
  readonly hit?: number;
  /** kill: as `kill -9`; stop: as a machine that sleeps, until SIGCONT. */
  readonly action?: 'kill' | 'stop';
  readonly daemon?: boolean;
  /** With a point: drain until the buffer is empty, if the point isn't reached before. */
  readonly once?: boolean;
  /** See ComposeOptions. */
  readonly chunkRows?: number;
  /** Of the log; default: info. */
  readonly level?: string;
}

const options = JSON.parse(process.argv[2] ?? '{}') as ChildOptions;
let hits = 0;

function at(point: CrashPoint): void {
  if (point !== options.point || ++hits !== (options.hit ?? 1)) return;
  process.kill(process.pid, options.action === 'stop' ? 'SIGSTOP' : 'SIGKILL');
}

await withTempDirectory(loadConfig({ file: options.config, env: process.env, cwd: process.cwd(), flags: {} }), async (config) => {
  const log = pino({ level: options.level ?? 'info' }, pino.destination({ fd: 2, sync: true }));
  await using composition = await composeForTest({ config, log, at, chunkRows: options.chunkRows });
  const { ports } = composition;
  if (options.once || (options.point === undefined && !options.daemon)) {
    await drainOnce({ ports, log });
    return;
  }
  const daemon = new Daemon({ ports, log, intervalMs: config.batch.intervalMs });
  process.once('SIGTERM', () => void daemon.stop());
  await daemon.run();
});
