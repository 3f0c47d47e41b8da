import type { Io } from './context.ts';

export interface Stop {
  /** Aborted by the first signal. */
  readonly signal: AbortSignal;
  /** Leave signals to the process again. */
  forget(): void;
}

/**
 * The first SIGINT or SIGTERM asks: what is at work is finished. The second ends the process at once, which loses nothing either.
 * @param asked called with the first signal
 */
export function stopOnSignal(io: Io, asked: (signal: NodeJS.Signals) => void = () => {}): Stop {
  const controller = new AbortController();
  const forget = io.onStopSignal((signal) => {
    if (controller.signal.aborted) io.endNow(signal);
    asked(signal);
    controller.abort();
  });
  return { signal: controller.signal, forget };
}
