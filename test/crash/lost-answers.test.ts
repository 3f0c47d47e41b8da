import { setTimeout as sleep } from 'node:timers/promises';
import pino from 'pino';
import { describe, expect, test } from 'vitest';
import { withTempDirectory } from '../../src/cli/lake.ts';
import { loadConfig } from '../../src/config/index.ts';
import { Daemon, drainOnce } from '../../src/daemon/index.ts';
import { composeForTest } from '../support/compose.ts';
import { sharedPostgres } from '../support/shared.ts';
import { createScene, LAKES, Workload } from './scene.ts';

/** Steps that commit something. */
const STEPS = [
  ['source', 'swap'],
  ['source', 'settle'],
  ['lake', 'apply'],
  ['source', 'finish'],
] as const;

/** The step happens, but its caller sees a broken connection: once each `every`th call. */
function loseAnswers<T extends object>(port: T, method: string, every: number, count: { lost: number }): T {
  let calls = 0;
  return new Proxy(port, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name, target);
      if (typeof value !== 'function') return value;
      if (name !== method) return value.bind(target);
      return async (...args: unknown[]) => {
        const answer: unknown = await value.apply(target, args);
        if (++calls % every !== 0) return answer;
        count.lost++;
        throw Object.assign(new Error('the answer was lost'), { code: 'CONNECTION_CLOSED' });
      };
    },
  });
}

describe.each(LAKES)('committed, but the answer was lost: nothing is lost or doubled, %s', (kind) => {
  test.each(STEPS)('%s.%s', async (side, method) => {
    await using scene = await createScene(sharedPostgres(), kind);
    const loaded = loadConfig({ file: scene.config, env: process.env, cwd: process.cwd(), flags: {} });
    const count = { lost: 0 };
    await withTempDirectory(loaded, async (config) => {
      const log = pino({ level: 'silent' });
      await using composition = await composeForTest({ config, log });
      const ports = { ...composition.ports, [side]: loseAnswers(composition.ports[side], method, 2, count) };
      if (side === 'source') Object.assign(ports, { taker: { take: () => ports.source.swap() } });
      const workload = new Workload(scene.sql);
      const daemon = new Daemon({ ports, log, intervalMs: 50 });
      const ended = daemon.run();
      while (count.lost < 3) await sleep(20);
      await Promise.all([workload.stop(), daemon.stop(), ended]);
      await drainOnce({ ports, log });
    });
    expect(await scene.verify()).toBeGreaterThan(20);
  });
});
