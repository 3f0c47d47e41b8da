import { SingleBar } from 'cli-progress';
import type { Context } from './context.ts';

/** Anything shorter needs no bar. */
const PATIENCE_MS = 1_000;

export interface Progress {
  /** How much is done by now, in the units of `total`. */
  update(done: number, total?: number): void;
}

/**
 * Run `work` with a progress bar on stderr that appears after a second; none under `--json` or where stderr is no terminal.
 * The bar is gone when the work has ended, however it ended.
 */
export async function withProgress<T>(
  context: Context,
  { label, total, unit }: { label: string; total: number; unit: string },
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  if (context.json || context.io.stderr.isTTY !== true) return work({ update: () => {} });
  const bar = new SingleBar({
    format: `${label} {bar} {value}/{total} ${unit}, {duration_formatted}`,
    stream: context.io.stderr,
    clearOnComplete: true,
    hideCursor: true,
    barsize: 30,
  });
  let state = { done: 0, total };
  const timer = setTimeout(() => bar.start(state.total, state.done), PATIENCE_MS);
  try {
    return await work({
      update: (done, newTotal) => {
        state = { done, total: newTotal ?? state.total };
        if (!bar.isActive) return;
        bar.setTotal(state.total);
        bar.update(state.done);
      },
    });
  } finally {
    clearTimeout(timer);
    bar.stop();
  }
}
