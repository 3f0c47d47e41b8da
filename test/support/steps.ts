import { expect } from 'vitest';
import { drain, matchLake } from '../../src/pipeline/index.ts';
import type { Mirror } from './mirror.ts';

/** One thing of a daemon: a drain, and a step of the load at work. False: nothing is left to do. */
export async function step({ composition: { ports } }: Mirror): Promise<boolean> {
  if (!(await ports.source.lead())) throw new Error('somebody else leads');
  await matchLake(ports);
  const drained = await drain(ports, { watchNow: true });
  return (await ports.loader.step(drained)) || drained.kind === 'batch';
}

/** Step until nothing is left; before each step, and with its number, what the application does meanwhile. Returns how many there were. */
export async function stepAll(mirror: Mirror, meanwhile: (count: number) => Promise<void> = async () => {}): Promise<number> {
  for (let count = 0; ; count += 1) {
    expect(count, 'steps until all is done').toBeLessThan(400);
    await meanwhile(count);
    if (!(await step(mirror))) return count;
  }
}
