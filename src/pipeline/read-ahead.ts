import { setTimeout as sleep } from 'node:timers/promises';
import type { Logger } from 'pino';
import type { Chunk } from '../model/load.ts';
import type { ReadChunk, ReadRows, Source } from './ports.ts';

/** A transaction of a lake takes 0.2 s however little it brings, so chunks that are files go together: so many, or what has arrived after this time. */
const TOGETHER = 8;
const APART_MS = 2_000;
/** How many times that many may wait. */
const AHEAD = 2;
/** How long a call waits where there is nothing to do yet. */
const PAUSE_MS = 100;
/** How often it is looked whether a read holds somebody up. */
const GIVE_WAY_MS = 40;

export interface ReadAheadOptions {
  /** In the order in which they are to be read. */
  readonly chunks: readonly Chunk[];
  readonly read: (chunk: Chunk) => Promise<ReadRows>;
  /** Chunks that are read at the same time. */
  readonly readers: number;
  /** At most; undefined: as fast as it goes. */
  readonly rowsPerSecond?: number | undefined;
  /** All of them go to the lake at once: they are few, or small. */
  readonly whole?: boolean;
}

/** Reads chunks of a load while the lake takes others in, or a batch; but not far ahead. */
export class ReadAhead {
  readonly #options: ReadAheadOptions;
  readonly #queue: Chunk[];
  readonly #since = Date.now();
  /** Those that are being read, and those whose reading has failed. */
  readonly #reading = new Set<Promise<void>>();
  /** Those that wait for the lake, by index. */
  readonly #arrived = new Map<number, ReadChunk>();
  #takenAt = Date.now();
  #rowsRead = 0;
  #closed = false;

  constructor(options: ReadAheadOptions) {
    this.#options = options;
    this.#queue = [...options.chunks];
  }

  /**
   * What is to go to the lake next; none: nothing yet, call again. Rejects as a read does.
   * @param todo chunks that the lake does not have
   */
  async next(todo: readonly Chunk[]): Promise<readonly ReadChunk[]> {
    for (const { chunk, rows } of this.#arrived.values()) {
      if (todo.some(({ index }) => index === chunk.index)) continue;
      // Another process has brought it.
      this.#arrived.delete(chunk.index);
      await rows.forget();
    }
    this.#begin();
    const late = () => !this.#options.whole && this.#arrived.size > 0 && Date.now() > this.#takenAt + APART_MS;
    const enough = () => this.#arrived.size >= Math.min(this.#together, todo.length) || late();
    if (!enough()) await Promise.race([...this.#reading, sleep(PAUSE_MS)]);
    return enough() ? [...this.#arrived.values()] : [];
  }

  /** The caller has these from now on. */
  taken(chunks: readonly ReadChunk[]): void {
    for (const { chunk } of chunks) this.#arrived.delete(chunk.index);
    this.#takenAt = Date.now();
  }

  /** Let go of all that was read and not taken. */
  async close(): Promise<void> {
    this.#closed = true;
    await Promise.allSettled(this.#reading);
    await Promise.allSettled([...this.#arrived.values()].map(({ rows }) => rows.forget()));
  }

  #begin(): void {
    while (!this.#closed && this.#reading.size < this.#options.readers && this.#arrived.size < AHEAD * this.#together && this.#mayRead()) {
      const chunk = this.#queue.shift();
      if (chunk === undefined) return;
      const reading = this.#options.read(chunk).then((rows) => {
        this.#reading.delete(reading);
        this.#arrived.set(chunk.index, { chunk, rows });
        this.#rowsRead += rows.rows;
        this.#begin();
      });
      // Who waits for it sees the failure.
      reading.catch(() => undefined);
      this.#reading.add(reading);
    }
  }

  /** How many go to the lake at once: memory is not to hold several. */
  get #together(): number {
    if (this.#options.whole) return this.#options.chunks.length;
    return [...this.#arrived.values()].some(({ rows }) => rows.inMemory) ? 1 : TOGETHER;
  }

  #mayRead(): boolean {
    const { rowsPerSecond } = this.#options;
    return rowsPerSecond === undefined || Date.now() >= this.#since + (1000 * this.#rowsRead) / rowsPerSecond;
  }
}

/**
 * A read holds a lock of the table, so an ALTER TABLE or a TRUNCATE waits for it, and others queue behind. Reads given to the returned function give way; they
 * are tried again after a pause. It is looked beside the steps of a load, for a step may be a batch that takes seconds.
 */
export function givingWay(source: Pick<Source, 'giveWay'>, log: Logger): <T>(read: Promise<T>) => Promise<T> {
  let inFlight = 0;
  let watching: NodeJS.Timeout | undefined;
  const look = () => {
    source.giveWay().then(
      (cancelled) => cancelled > 0 && log.info({ reads: cancelled }, 'somebody waited for a table that is loaded: reading it later'),
      () => undefined,
    );
  };
  return async (read) => {
    inFlight += 1;
    watching ??= setInterval(look, GIVE_WAY_MS).unref();
    try {
      return await read;
    } finally {
      inFlight -= 1;
      if (inFlight === 0) {
        clearInterval(watching);
        watching = undefined;
      }
    }
  };
}
