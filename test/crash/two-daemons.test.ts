import { readFile } from 'node:fs/promises';
import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, test } from 'vitest';
import { sharedPostgres } from '../support/shared.ts';
import { createScene, LAKES, Workload } from './scene.ts';

describe.each(LAKES)('two daemons at once, %s', (kind) => {
  test('a daemon that slept after its lake commit does not empty the batch of its successor', async () => {
    await using scene = await createScene(sharedPostgres(), kind);
    const workload = new Workload(scene.sql);
    const sleeper = scene.child({ point: 'before-finish', hit: 2, action: 'stop' });
    const applied = async () => (await scene.sql`SELECT count(*)::int AS n FROM audit.batch`)[0]?.n as number;
    const asleep = async () => /^State:\s+T/m.test(await readFile(`/proc/${sleeper.process.pid}/status`, 'utf8'));
    while (!(await asleep())) await sleep(100);
    // Its leadership is lost, as by a broken network; its other sessions live on.
    await scene.sql`SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'sluice leader' AND datname = current_database()`;
    const before = await applied();
    const successor = scene.child({ daemon: true });
    while ((await applied()) < before + 3) await sleep(50);
    sleeper.process.kill('SIGCONT');
    await sleep(2_000);
    sleeper.process.kill('SIGKILL');
    successor.process.kill('SIGTERM');
    await Promise.all([sleeper.ended, successor.ended]);
    await workload.stop();
    await scene.drain();
    expect(await scene.verify()).toBeGreaterThan(50);
  });

  test('the second waits, and takes over when the first is killed', async () => {
    await using scene = await createScene(sharedPostgres(), kind);
    const workload = new Workload(scene.sql);
    const first = scene.child({ daemon: true });
    const led = async () => (await scene.sql`SELECT count(*)::int AS n FROM audit.batch WHERE state = 'done'`)[0]?.n as number;
    while ((await led()) < 2) await sleep(50);
    const second = scene.child({ daemon: true });
    while (!second.log().includes('another daemon leads')) await sleep(50);
    first.process.kill('SIGKILL');
    await first.ended;
    const before = await led();
    while ((await led()) < before + 3) await sleep(50);
    second.process.kill('SIGTERM');
    const { code, log } = await second.ended;
    expect(code, log).toBe(0);
    await workload.stop();
    await scene.drain();
    expect(await scene.verify()).toBeGreaterThan(50);
  });
});
