import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { AsyncTask, SimpleIntervalJob, ToadScheduler } from 'toad-scheduler';
import { SluiceError } from '../model/error.ts';
import { classify } from '../model/fault.ts';
import {
  type Drained,
  type DrainPorts,
  drain,
  type Guard,
  type Loader,
  matchLake,
  type Retention,
  type Verifier,
} from '../pipeline/index.ts';
import { Backoff } from './backoff.ts';

/** What a daemon works with. */
export interface DaemonPorts extends DrainPorts {
  readonly loader: Loader;
  readonly guard: Guard;
  readonly retention: Retention;
  readonly verifier: Verifier;
}

export interface DaemonOptions {
  readonly ports: DaemonPorts;
  readonly log: Logger;
  readonly intervalMs: number;
  /** Called after each batch, for a progress display. */
  readonly onBatch?: (drained: Extract<Drained, { kind: 'batch' }>) => void;
}

/**
 * Drains periodically. States: waiting (another daemon leads) → leading → stopped.
 * One round at a time, however long it takes; a round goes on while there is a backlog (a batch that was large, or took longer than the interval) or something to
 * be loaded. Else batches begin an interval apart: under steady writes each would find a few more changes, and a lake of tiny files costs its readers.
 * A fault that may pass is logged and tried again with back-off; any other ends the daemon.
 */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #scheduler = new ToadScheduler();
  readonly #backoff = new Backoff({ firstMs: 250, longestMs: 30_000 });
  /** A table that can't be read now, as while it is locked, holds no batch up. */
  readonly #loadBackoff = new Backoff({ firstMs: 250, longestMs: 30_000 });
  readonly #done = Promise.withResolvers<void>();
  #round: Promise<void> = Promise.resolve();
  #stopping = false;
  #leading = false;
  #announcedWait = false;
  #notBefore = 0;
  #loadNotBefore = 0;

  constructor(options: DaemonOptions) {
    this.#options = options;
  }

  /** Start. Resolves when `stop` was called and the round at work has ended; rejects on a fault that no retry mends. */
  run(): Promise<void> {
    const task = new AsyncTask('drain', () => this.#tick());
    const schedule = { milliseconds: this.#options.intervalMs, runImmediately: true };
    this.#scheduler.addSimpleIntervalJob(new SimpleIntervalJob(schedule, task, { preventOverrun: true }));
    // Beside the drain, not after it: what it guards against is that no drain ends.
    const guard = new AsyncTask('guard', () => this.#options.ports.guard.check());
    this.#scheduler.addSimpleIntervalJob(new SimpleIntervalJob({ milliseconds: GUARD_INTERVAL_MS }, guard, { preventOverrun: true }));
    return this.#done.promise;
  }

  /** Take no further batch; the one at work is finished. Resolves when it is. */
  async stop(): Promise<void> {
    this.#stopping = true;
    this.#scheduler.stop();
    await this.#round;
    this.#done.resolve();
  }

  #tick(): Promise<void> {
    if (this.#stopping || Date.now() < this.#notBefore) return Promise.resolve();
    this.#round = this.#drainAll();
    return this.#round;
  }

  async #drainAll(): Promise<void> {
    const { ports, log, onBatch } = this.#options;
    try {
      ports.guard.begun();
      if (!this.#leading && !(await this.#takeLead())) return;
      let busy: boolean;
      do {
        const began = performance.now();
        const drained = await drain(ports);
        if (drained.kind === 'batch') onBatch?.(drained);
        await ports.verifier.step();
        this.#backoff.reset();
        await ports.guard.delivered(drained.kind === 'idle');
        await ports.retention.step();
        const loading = await this.#load(drained);
        const late = performance.now() - began >= this.#options.intervalMs;
        busy = loading || (drained.kind === 'batch' && (late || drained.applied.rows >= BACKLOG_ROWS));
      } while (busy && !this.#stopping);
    } catch (error) {
      // Whatever happened, the session that held the leadership may be gone: compete again.
      this.#leading = false;
      ports.guard.failed();
      const fault = classify(error);
      // Rows that are read for a load and wait may be what a batch lacks room for.
      const relieved = fault.code === 'lake_memory' && (await ports.loader.relieve());
      await ports.loader.close();
      if (!fault.retry && !relieved) {
        this.#stopping = true;
        this.#scheduler.stop();
        this.#done.reject(error);
        return;
      }
      const waitMs = this.#backoff.next();
      this.#notBefore = Date.now() + waitMs;
      log.warn({ code: fault.code, remedy: fault.remedy, waitMs: Math.round(waitMs) }, fault.message);
    } finally {
      ports.guard.ended();
    }
  }

  async #load(drained: Drained): Promise<boolean> {
    if (Date.now() < this.#loadNotBefore) return false;
    try {
      const busy = await this.#options.ports.loader.step(drained);
      this.#loadBackoff.reset();
      return busy;
    } catch (error) {
      const fault = classify(error);
      if (!fault.retry) throw error;
      const waitMs = this.#loadBackoff.next();
      this.#loadNotBefore = Date.now() + waitMs;
      this.#options.log.warn({ code: fault.code, remedy: fault.remedy, waitMs: Math.round(waitMs) }, `loading: ${fault.message}`);
      return false;
    }
  }

  async #takeLead(): Promise<boolean> {
    const { ports, log } = this.#options;
    if (!(await ports.source.lead())) {
      if (!this.#announcedWait) log.info('another daemon leads: waiting');
      this.#announcedWait = true;
      return false;
    }
    const identity = await matchLake(ports);
    this.#leading = true;
    this.#announcedWait = false;
    log.info({ system: identity.systemIdentifier, database: identity.database, epoch: identity.epoch }, 'leading');
    return true;
  }
}

const GUARD_INTERVAL_MS = 1_000;

/** After a batch of so many changes another one may wait already. */
const BACKLOG_ROWS = 10_000;

/** How long `drainOnce` waits for another daemon to give up the lead, and tries again after faults that may pass. */
const ONCE_PATIENCE_MS = 15_000;

/**
 * Drain until the buffer is empty and all loads are done.
 * @param stop ends it between two batches, or parts of a load
 * @throws SluiceError interrupted, another_daemon_leads; or the fault, if it may not pass or did not within 15 seconds
 */
export async function drainOnce({
  ports,
  log,
  onBatch,
  stop,
}: Omit<DaemonOptions, 'intervalMs'> & { readonly stop?: AbortSignal }): Promise<void> {
  const backoff = new Backoff({ firstMs: 250, longestMs: 2_000 });
  let end = Date.now() + ONCE_PATIENCE_MS;
  for (;;) {
    try {
      if (!(await ports.source.lead())) {
        throw new SluiceError('another_daemon_leads', 'Another daemon drains this database', 'Stop it first, or leave the work to it.');
      }
      await matchLake(ports);
      let loading = false;
      for (;;) {
        if (stop?.aborted) throw new SluiceError('interrupted', 'Stopped by a signal before all was done.', 'Run it again: it goes on.');
        const watchNow = !loading;
        const drained = await drain(ports, { watchNow });
        await ports.guard.delivered(drained.kind === 'idle');
        const aging = await ports.retention.step();
        loading = await ports.loader.step(drained);
        if (drained.kind === 'batch') onBatch?.(drained);
        else if (watchNow && !loading && !aging) return;
        end = Date.now() + ONCE_PATIENCE_MS;
      }
    } catch (error) {
      const fault = classify(error);
      const relieved = fault.code === 'lake_memory' && (await ports.loader.relieve());
      await ports.loader.close();
      const mayPass = fault.retry || relieved || fault.code === 'another_daemon_leads';
      if (!mayPass || Date.now() > end) throw error;
      log.warn({ code: fault.code }, fault.message);
      await sleep(backoff.next());
    }
  }
}
