/**
 * Where a drain can be interrupted: before and after each step that leaves a trace somewhere. The crash suite stops the process at each
 * one and proves that nothing is lost or doubled; a new step needs its points here.
 */
export const CRASH_POINTS = [
  'before-swap',
  'after-swap',
  'before-move',
  'after-move',
  'before-settle',
  'after-settle',
  'before-stage',
  'after-stage',
  'before-apply',
  'after-apply',
  'before-finish',
  'after-finish',
  'before-follow',
  'after-follow',
  'before-gap',
  'after-gap',
  'before-epoch',
  'after-epoch',
  'before-load',
  'after-load',
  'before-chunk',
  'after-chunk',
  'before-complete',
  'after-complete',
  'before-pause',
  'after-pause',
  'before-resume',
  'after-resume',
  'before-paused-gap',
  'after-paused-gap',
  'before-forget-pause',
  'after-forget-pause',
  'before-retain',
  'after-retain',
] as const;

export type CrashPoint = (typeof CRASH_POINTS)[number];

/** Called at each point, in order. What it throws ends the drain as an error of the step would. */
export type AtPoint = (point: CrashPoint) => void | Promise<void>;
