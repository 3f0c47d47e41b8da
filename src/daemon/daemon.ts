import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import { AsyncTask, SimpleIntervalJob, ToadScheduler } from 'toad-scheduler';
import { SluiceError } from '../model/error.ts';
import { classify } from '../model/fault.ts';
import { type Drained, type DrainPorts, drain, type Loader, matchLake, type Verifier } from '../pipeline/index.ts';
import { Backoff } from './backoff.ts';

/** What a daemon works with. */
export interface DaemonPorts extends DrainPorts {
  readonly loader: Loader;
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
 * One round at a time, however long it takes; a round drains until the buffer is empty and nothing is to be loaded, so a backlog waits for no interval.
 * A fault that may pass is logged and tried again with back-off; any other ends the daemon.
 */
export class Daemon {
  readonly #options: DaemonOptions;
  readonly #scheduler = new ToadScheduler();
  readonly #backoff = new Backoff({ firstMs: 250, longestMs: 30_000 });
  readonly #done = Promise.withResolvers<void>();
  #round: Promise<void> = Promise.resolve();
  #stopping = false;
  #leading = false;
  #announcedWait = false;
  #notBefore = 0;

  constructor(options: DaemonOptions) {
    this.#options = options;
  }

  /** Start. Resolves when `stop` was called and the round at work has ended; rejects on a fault that no retry mends. */
  run(): Promise<void> {
    const task = new AsyncTask('drain', () => this.#tick());
    const schedule = { milliseconds: this.#options.intervalMs, runImmediately: true };
    this.#scheduler.addSimpleIntervalJob(new SimpleIntervalJob(schedule, task, { preventOverrun: true }));
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
      if (!this.#leading && !(await this.#takeLead())) return;
      let busy: boolean;
      do {
        const drained = await drain(ports);
        if (drained.kind === 'batch') onBatch?.(drained);
        busy = (await ports.loader.step(drained)) || drained.kind === 'batch';
        await ports.verifier.step();
        this.#backoff.reset();
      } while (busy && !this.#stopping);
    } catch (error) {
      // Whatever happened, the session that held the leadership may be gone: compete again.
      this.#leading = false;
      const fault = classify(error);
      if (!fault.retry) {
        this.#stopping = true;
        this.#scheduler.stop();
        this.#done.reject(error);
        return;
      }
      const waitMs = this.#backoff.next();
      this.#notBefore = Date.now() + waitMs;
      log.warn({ code: fault.code, remedy: fault.remedy, waitMs: Math.round(waitMs) }, fault.message);
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
      for (;;) {
        if (stop?.aborted) throw new SluiceError('interrupted', 'Stopped by a signal before all was done.', 'Run it again: it goes on.');
        const drained = await drain(ports, { watchNow: true });
        const loading = await ports.loader.step(drained);
        if (drained.kind === 'batch') onBatch?.(drained);
        else if (!loading) return;
        end = Date.now() + ONCE_PATIENCE_MS;
      }
    } catch (error) {
      const fault = classify(error);
      const mayPass = fault.retry || fault.code === 'another_daemon_leads';
      if (!mayPass || Date.now() > end) throw error;
      log.warn({ code: fault.code }, fault.message);
      await sleep(backoff.next());
    }
  }
}
