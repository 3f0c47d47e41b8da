import postgres from 'postgres';

/** A pool of connections to the source. */
export type Sql = postgres.Sql;

export interface ConnectOptions {
  /** postgres://… */
  readonly url: string;
  readonly applicationName: string;
  /** Connections at most. */
  readonly max?: number;
  /** How long a new connection may take, in seconds. */
  readonly connectTimeout?: number;
  /** How long a statement may wait for a lock, in milliseconds; default: the role's. Who waits holds other locks, so others wait as well. */
  readonly lockTimeoutMs?: number;
  /** Whether a JavaScript array stands for PostgreSQL's, at the price of a query on each new connection; default: yes. */
  readonly arrays?: boolean;
  /** Called when a connection was closed, by whomever. */
  readonly onClose?: () => void;
}

/**
 * A pool; the first query connects. Every session is pinned to READ COMMITTED, whatever the role's default is: under SERIALIZABLE
 * our move would make the application's transactions fail. End it with `sql.end()`.
 */
export function connect({
  url,
  applicationName,
  max = 2,
  connectTimeout = 10,
  lockTimeoutMs,
  arrays = true,
  onClose,
}: ConnectOptions): Sql {
  return postgres(url, {
    max,
    connect_timeout: connectTimeout,
    idle_timeout: 0,
    // The driver's default closes a connection after 30 to 60 minutes, and with it the leadership's lock.
    max_lifetime: null,
    // The prepared statements of porsager don't survive a transaction pooler, and we run few statements often enough to gain.
    prepare: false,
    fetch_types: arrays,
    onnotice: () => {},
    ...(onClose === undefined ? {} : { onclose: onClose }),
    connection: {
      application_name: applicationName,
      default_transaction_isolation: 'read committed',
      // What is read as text (COPY as CSV) must not depend on the role's own settings.
      DateStyle: 'ISO, YMD',
      ...(lockTimeoutMs === undefined ? {} : { lock_timeout: lockTimeoutMs }),
    },
  });
}

/** How long what still runs on the other connections of a pool may take when one was closed, in seconds. */
const FAREWELL = 5;

/**
 * A pool that is made anew when one of its connections was closed, for those who outlive a server.
 *
 * The driver uses a connection that broke again, and one that broke between a write and its flush never sends anything any more (postgres 3.4.9: its
 * timer for the flush is cleared, but not forgotten): each query that it gets ends with CONNECT_TIMEOUT. A pool of one, which holds the leadership, would never
 * lead again. Nor does anybody wait for the query by which it learns of array types: where the connection breaks just then, Node ends the process. So arrays go
 * as text, see `arrayOf`. Held by test/pg/pool.test.ts.
 */
export class Pool {
  readonly #options: ConnectOptions;
  #current: Sql | undefined;

  constructor(options: ConnectOptions) {
    this.#options = options;
  }

  /** Take it for each query, and keep it for none. */
  get sql(): Sql {
    this.#current ??= this.#make();
    return this.#current;
  }

  async end(): Promise<void> {
    const last = this.#current;
    this.#current = undefined;
    await last?.end({ timeout: 1 });
  }

  #make(): Sql {
    const made: Sql = connect({
      ...this.#options,
      arrays: false,
      onClose: () => {
        if (this.#current !== made) return;
        this.#current = undefined;
        void made.end({ timeout: FAREWELL }).catch(() => undefined);
      },
    });
    return made;
  }
}

/** Numbers as the text of an array, for the queries of a Pool. */
export function arrayOf(numbers: readonly number[]): string {
  return `{${numbers.join(',')}}`;
}

/** The connection string for another client, by what name its sessions are known (the last of several counts). */
export function withName(url: string, applicationName: string): string {
  return `${url}${url.includes('?') ? '&' : '?'}application_name=${encodeURIComponent(applicationName)}`;
}
