/** Waits between attempts that fail: doubling, jittered so that many daemons don't come back at once, and reset by a success. */
export class Backoff {
  readonly #firstMs: number;
  readonly #longestMs: number;
  #failures = 0;

  constructor({ firstMs, longestMs }: { firstMs: number; longestMs: number }) {
    this.#firstMs = firstMs;
    this.#longestMs = longestMs;
  }

  /** Count a failure; returns how long to wait before the next attempt, in milliseconds. */
  next(): number {
    const whole = Math.min(this.#firstMs * 2 ** this.#failures++, this.#longestMs);
    return whole * (0.5 + 0.5 * Math.random());
  }

  reset(): void {
    this.#failures = 0;
  }
}
