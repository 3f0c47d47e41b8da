import { SingleBar } from 'cli-progress';
import type { Context } from './context.ts';
import { formatCount } from './output.ts';

/** Anything shorter needs no bar. */
const PATIENCE_MS = 1_000;

export interface Progress {
  /** How much is done by now, in the units of `total`. */
  update(done: number, total?: number): void;
}

/**
 * Run `work` with a progress bar on stderr that appears after a second; none under `--json` or where stderr is no terminal.
 * timed: with units a second and the time left, both by the average since the first update.
 * The bar is gone when the work has ended, however it ended.
 */
export async function withProgress<T>(
  context: Context,
  { label, total, unit, timed = false }: { label: string; total: number; unit: string; timed?: boolean },
  work: (progress: Progress) => Promise<T>,
): Promise<T> {
  if (context.json || context.io.stderr.isTTY !== true) return work({ update: () => {} });
  const bar = new SingleBar({
    format: `${label} {bar} {value}/{total} ${unit}, ${timed ? '{pace}' : '{duration_formatted}'}`,
    stream: context.io.stderr,
    clearOnComplete: true,
    hideCursor: true,
    barsize: 30,
  });
  let state = { done: 0, total };
  let first: { done: number; at: number } | undefined;
  const pace = () => {
    const perSecond = first === undefined ? 0 : (1000 * (state.done - first.done)) / (Date.now() - first.at);
    return { pace: perSecond > 0 ? formatPace(perSecond, state.total - state.done) : 'waiting' };
  };
  const timer = setTimeout(() => bar.start(state.total, state.done, pace()), PATIENCE_MS);
  try {
    return await work({
      update: (done, newTotal) => {
        state = { done, total: newTotal ?? state.total };
        first ??= { done, at: Date.now() };
        if (!bar.isActive) return;
        bar.setTotal(state.total);
        bar.update(state.done, pace());
      },
    });
  } finally {
    clearTimeout(timer);
    bar.stop();
  }
}

/** '12,000/s, 90 s left'; nothing is said of the time left where what is left is not known. */
export function formatPace(perSecond: number, left: number): string {
  const seconds = Math.ceil(left / perSecond);
  return `${formatCount(Math.round(perSecond))}/s${left > 0 ? `, ${formatLeft(seconds)} left` : ''}`;
}

function formatLeft(seconds: number): string {
  if (seconds < 120) return `${seconds} s`;
  return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}
