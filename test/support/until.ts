import { setTimeout as sleep } from 'node:timers/promises';

/**
 * Wait until `condition` holds, however long the machine takes.
 * @throws Error that names `what` after `patienceMs`, so that a test which waits in vain says for what
 */
export async function until(what: string, condition: () => boolean | Promise<boolean>, patienceMs = 60_000): Promise<void> {
  const end = Date.now() + patienceMs;
  while (!(await condition())) {
    if (Date.now() > end) throw new Error(`waited ${patienceMs / 1000} s in vain: ${what}`);
    await sleep(20);
  }
}
