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
}

/**
 * A pool; the first query connects. Every session is pinned to READ COMMITTED, whatever the role's default is: under SERIALIZABLE
 * our move would make the application's transactions fail. End it with `sql.end()`.
 */
export function connect({ url, applicationName, max = 2, connectTimeout = 10, lockTimeoutMs }: ConnectOptions): Sql {
  return postgres(url, {
    max,
    connect_timeout: connectTimeout,
    idle_timeout: 0,
    // The driver's default closes a connection after 30 to 60 minutes, and with it the leadership's lock.
    max_lifetime: null,
    // The prepared statements of porsager don't survive a transaction pooler, and we run few statements often enough to gain.
    prepare: false,
    onnotice: () => {},
    connection: {
      application_name: applicationName,
      default_transaction_isolation: 'read committed',
      ...(lockTimeoutMs === undefined ? {} : { lock_timeout: lockTimeoutMs }),
    },
  });
}
