import type { Guard, Retention } from '../pipeline/index.ts';

/** What a daemon does beside its drain. */
export interface Chores {
  readonly guard: Guard;
  readonly retention: Retention;
}
