import { SluiceError } from './error.ts';

/** What an error means to whoever meets it: the daemon (try again or stop), the command line and the log (the rest). */
export interface Fault {
  /** The same attempt may succeed later without anybody doing anything. */
  readonly retry: boolean;
  /** Stable name, for scripts and alerts. */
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

/** One row of the classification. */
export interface FaultRule {
  /** A SluiceError's code, a Node or driver code, a SQLSTATE, or the first two or more characters of one followed by `*`. */
  readonly match: string;
  readonly retry: boolean;
  /** The fault's code and texts; absent for SluiceErrors, which bring their own. */
  readonly code?: string;
  readonly what?: string;
  readonly remedy?: string;
}

const again = (match: string, code: string, what: string, remedy: string): FaultRule => ({ match, retry: true, code, what, remedy });
const stop = (match: string, code: string, what: string, remedy: string): FaultRule => ({ match, retry: false, code, what, remedy });

const network = (match: string, what = "PostgreSQL can't be reached") =>
  again(match, 'source_unreachable', what, 'Check host and port in source.url, that the server runs, and the network between.');
const broken = (match: string, what: string) =>
  again(match, 'source_unreachable', what, 'Wait: the connection is made again when the server is back.');
const file = (match: string, what: string) =>
  stop(match, 'file_permission', what, 'Check owner and permissions of the paths in the configuration (lake, temp_directory).');
const absent = (match: string, what: string) => stop(match, 'not_installed', what, 'Run: sluice install');

/** Codes of SluiceErrors that pass by themselves. Any other SluiceError needs somebody to act and is not retried. */
const OWN: readonly FaultRule[] = [
  // Catalog or object store down, or not yet up.
  { match: 'lake_unreachable', retry: true },
  // DuckDB failed an assertion and is opened anew: seen when a catalog connection dies at the wrong moment.
  { match: 'lake_engine_broken', retry: true },
  // Another process holds the file: a query in the DuckDB shell, or a daemon that is about to stop.
  { match: 'lake_locked', retry: true },
  // Nothing was committed; the batch waits at the source until there is space.
  { match: 'lake_full', retry: true },
  // Another writer moved the anchor. The next attempt begins with recovery, which sees what that writer did.
  { match: 'lake_conflict', retry: true },
  // The ledger has the batch: the commit's answer was lost. Recovery finishes it at the source.
  { match: 'lake_already_holds', retry: true },
  // The source went away while it was read, or the pipe to the engine broke: nothing was applied.
  { match: 'stage_failed', retry: true },
  // Two daemons: the other one finished the batch that this one wanted to read.
  { match: 'stage_other_batch', retry: true },
  // The session with the advisory lock broke. The daemon competes for the lead again.
  { match: 'leadership_lost', retry: true },
  // A standby that is to be promoted.
  { match: 'source_read_only', retry: true },
  // Fewer or more rows arrived than the source had: nothing was applied, staging starts over.
  { match: 'stage_incomplete', retry: true },
];

/** Network and file errors of Node, and the codes that porsager's `postgres` and `pg` give to lost connections. */
const SYSTEM: readonly FaultRule[] = [
  network('ECONNREFUSED'),
  network('EHOSTUNREACH'),
  network('ENETUNREACH'),
  network('EHOSTDOWN'),
  network('ETIMEDOUT'),
  network('CONNECT_TIMEOUT'),
  // A name that doesn't resolve is a typo at the start, but a passing failure of DNS in a daemon that ran for weeks.
  network('ENOTFOUND', 'The host name does not resolve'),
  network('EAI_AGAIN', 'The host name does not resolve at the moment'),
  broken('ECONNRESET', 'The connection to PostgreSQL broke'),
  broken('EPIPE', 'The connection to PostgreSQL broke'),
  broken('CONNECTION_CLOSED', 'The connection to PostgreSQL was closed'),
  broken('CONNECTION_ENDED', 'The connection to PostgreSQL has ended'),
  broken('CONNECTION_DESTROYED', 'The connection to PostgreSQL was given up'),
  stop(
    'AUTH_TYPE_NOT_IMPLEMENTED',
    'source_auth',
    'PostgreSQL asks for a login method the driver lacks',
    'Use scram-sha-256 for this role.',
  ),
  stop('SASL_SIGNATURE_MISMATCH', 'source_auth', 'The server does not know the password', 'Check that source.url names the right server.'),
  again('ENOSPC', 'disk_full', 'A disk is full', 'Free space on it; work goes on by itself.'),
  again('EDQUOT', 'disk_full', 'The disk quota is used up', 'Free space or raise the quota; work goes on by itself.'),
  again('EMFILE', 'too_many_files', 'This process has too many open files', 'Raise its limit of open files (ulimit -n).'),
  again('ENFILE', 'too_many_files', 'The system has too many open files', 'Raise the limit of the system, or end what holds them.'),
  again('EIO', 'disk_failed', 'A disk failed to read or write', 'Look at the log of the system: a disk may be dying.'),
  file('EACCES', 'A file may not be accessed'),
  file('EPERM', 'A file may not be accessed'),
  file('EROFS', 'The file system is read-only'),
  stop('ENOENT', 'file_missing', 'A file or folder does not exist', 'Check the paths in the configuration.'),
];

/** SQLSTATEs of the source. The longest match decides, so the row of a code overrules the row of its class. */
const SQLSTATE: readonly FaultRule[] = [
  broken('08*', 'The connection to PostgreSQL failed'),
  stop('08P01', 'source_protocol', 'What answers does not speak as PostgreSQL does', 'Check source.url; a pooler must be in session mode.'),
  stop('22*', 'source_data', 'PostgreSQL could not process a value', 'This is a defect of sluice: please report it with the code.'),
  // What follows a failover: the old primary is a standby now, the name will point to the new one in a moment.
  again('25006', 'source_read_only', 'The server is read-only', 'Point source.url to the primary; after a failover this passes by itself.'),
  stop('28*', 'source_auth', 'PostgreSQL refused the login', 'Check user and password in source.url, and pg_hba.conf for this host.'),
  stop('3D000', 'source_no_database', 'The database does not exist', 'Check the database name in source.url.'),
  absent('3F000', 'Schema audit is not in the source'),
  again('40*', 'source_conflict', 'PostgreSQL ended the transaction in favour of another', 'Nothing to do: it is tried again.'),
  stop('42*', 'source_mismatch', 'The source lacks what this version of sluice expects', 'Run sluice install, then sluice doctor.'),
  stop(
    '42501',
    'source_privilege',
    'The role in source.url lacks a privilege',
    "Run it as the owner of schema audit and of the tables; the daemon's role gets its rights by: select audit.grant_daemon('role')",
  ),
  absent('42P01', 'A table of schema audit is not in the source'),
  absent('42883', 'A function of schema audit is not in the source, or not in this version'),
  again('53*', 'source_overloaded', 'PostgreSQL is short of resources', 'Look at disk and memory of the server; work goes on by itself.'),
  again('53100', 'source_disk_full', 'The disk of PostgreSQL is full', 'Free space on the server; work goes on by itself.'),
  again('53300', 'source_overloaded', 'PostgreSQL has no connection left', 'Raise max_connections, or close idle connections.'),
  // Two daemons at once, for an instant: the fences of schema audit let one through.
  again('55000', 'source_batch', 'Another daemon is at work on this batch', 'Run one daemon per database; this one looks again.'),
  again('55006', 'source_batch', 'Another daemon has a batch open', 'Run one daemon per database; this one looks again.'),
  again('P0002', 'source_batch', 'The source does not know the batch', 'It was restored or failed over meanwhile; the daemon looks again.'),
  again('55P03', 'source_busy', 'A lock was not free in time', 'It is tried again; see pg_stat_activity for long transactions.'),
  again('57014', 'source_cancelled', 'PostgreSQL cancelled the statement', 'Check statement_timeout of this role: it should be 0.'),
  broken('57P*', 'PostgreSQL is starting, stopping, or ended the connection'),
  stop('57P04', 'source_no_database', 'The database was dropped', 'Check the database name in source.url.'),
  again('58*', 'source_system', 'The operating system of the server reported an error', 'Look at the log of PostgreSQL.'),
  stop('XX*', 'source_internal', 'PostgreSQL reported an internal error', 'Look at the log of PostgreSQL: data may be damaged.'),
];

/** The whole classification; what no row matches is not retried. */
export const faultRules: readonly FaultRule[] = [...OWN, ...SYSTEM, ...SQLSTATE];

const DEFECT = 'This is a defect of sluice: please report it.';

/** Server messages of these classes quote values of rows, which must not reach a log. */
const QUOTES_VALUES = /^2[23]/;

/**
 * Say what an error means. Decides by codes alone (SluiceError, errno, driver, SQLSTATE), never by text, for messages change with version
 * and language. An error without a code is judged by its `cause`, or by the first of its `errors`. Pure; never throws.
 */
export function classify(error: unknown): Fault {
  const known = findCoded(error, 5);
  if (known === undefined) return { retry: false, code: 'unexpected', message: messageOf(error), remedy: DEFECT };
  const { code, source } = known;
  if (source instanceof SluiceError) {
    return { retry: OWN.some(({ match }) => match === code), code, message: source.message, remedy: source.remedy };
  }
  const found = rule(code);
  const detail = QUOTES_VALUES.test(code) ? code : `${code}: ${messageOf(source)}`;
  return {
    retry: found?.retry ?? false,
    code: found?.code ?? (isSqlState(code) ? 'source_failed' : 'unexpected'),
    message: `${found?.what ?? 'An unexpected error'} (${detail}).`,
    remedy: found?.remedy ?? (isSqlState(code) ? 'Look the code up in the documentation of PostgreSQL.' : DEFECT),
  };
}

function rule(code: string): FaultRule | undefined {
  const exact = faultRules.find(({ match }) => match === code);
  if (exact !== undefined || !isSqlState(code)) return exact;
  return SQLSTATE.filter(({ match }) => match.endsWith('*') && code.startsWith(match.slice(0, -1))).sort(
    (a, b) => b.match.length - a.match.length,
  )[0];
}

/** SQLSTATEs are five characters, and so are EPIPE, EPERM and EROFS: those begin with an E, which no class does. */
function isSqlState(code: string): boolean {
  return /^[0-9A-DF-Z][0-9A-Z]{4}$/.test(code);
}

function findCoded(error: unknown, depth: number): { code: string; source: object } | undefined {
  if (error === null || typeof error !== 'object' || depth === 0) return undefined;
  const { code, cause, errors } = error as { code?: unknown; cause?: unknown; errors?: unknown };
  if (typeof code === 'string') return { code, source: error };
  return findCoded(cause, depth - 1) ?? (Array.isArray(errors) ? findCoded(errors[0], depth - 1) : undefined);
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // Node leaves the message of an AggregateError empty: both addresses of a host were refused.
  if (error.message === '' && error instanceof AggregateError) return error.errors.map(messageOf).join(', ');
  return error.message;
}
