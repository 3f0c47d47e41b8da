import { SluiceError } from '../model/error.ts';
import { redact } from './redact.ts';

/** DuckDB met an impossible state (a failed assertion) and may refuse every statement from then on. */
const BROKEN = /^(?:INTERNAL|FATAL) Error|database has been invalidated/i;

/**
 * What went wrong in the lake, from DuckDB's message. DuckDB has neither SQLSTATE nor an error class in its Node client, so
 * this is the one place that looks at text; each pattern was seen from the real thing, and test/lake/errors.test.ts
 * provokes them anew. First match wins; what matches nothing is `lake_failed`.
 */
const kinds: readonly { code: string; pattern: RegExp; message: string; remedy: string }[] = [
  {
    code: 'lake_conflict',
    pattern: /Transaction conflict|Conflict on (?:tuple|update)|write-write conflict/i,
    message: 'Another process wrote to the lake at the same time; this transaction was undone',
    remedy: 'Run one daemon per lake. Nothing is lost: the batch is tried again.',
  },
  {
    code: 'lake_full',
    pattern:
      /No space left on device|not enough space|disk full|disk is full|out of disk space|could not extend file|\bENOSPC\b|max_temp_directory_size/i,
    message: 'No space left for the lake',
    remedy: 'Free space where the lake (data, catalog) and the temp directory lie. Nothing is lost: the batch is tried again.',
  },
  {
    code: 'lake_locked',
    pattern: /Could not set lock on file|Conflicting lock|database is locked|database table is locked/i,
    message: 'Another process holds the lake open',
    remedy: 'Close the other program that has the file open, or use a PostgreSQL catalog, which many processes can share.',
  },
  {
    code: 'lake_denied',
    pattern:
      /Permission denied|password authentication failed|permission denied for|no pg_hba\.conf entry|HTTP 40[13]|AccessDenied|read-only file system|attempt to write a readonly database/i,
    message: 'The lake refuses this user',
    remedy: 'Check user, password and rights of the catalog and of the data path.',
  },
  {
    code: 'lake_unreachable',
    pattern:
      /Unable to connect to Postgres|connection to server|server closed the connection|terminating connection|no connection to the server|SSL connection has been closed|Current transaction is aborted|fetch from an unsuccessful query result|could not receive data|could not send data|Could not (?:establish|resolve)|Connection (?:refused|reset|timed out|error)|the database system is (?:starting up|shutting down|in recovery)|Failed to (?:execute|prepare) [\s\S]*": ?$|Cannot open file|unable to open database|Cannot create directory|Failed to create directory|^E[A-Z]+: [^\n]*, mkdir |does not exist - and creating a new DuckLake/im,
    message: 'The lake cannot be reached',
    remedy: 'Check that catalog and data path exist and are up. Nothing is lost: the batch is tried again.',
  },
  {
    code: 'lake_memory',
    pattern: /^Out of Memory Error|(?:failed to|could not) (?:allocate|pin) (?:block|data)/im,
    message: 'The lake engine ran out of memory',
    remedy: 'Raise the memory limit, or give it a temp directory with more space.',
  },
  {
    code: 'lake_engine_broken',
    pattern: BROKEN,
    message: 'The lake engine broke and is opened anew',
    remedy: 'Nothing is lost: the batch is tried again. If it comes back each time, please report it with the message.',
  },
];

/** DuckDB quotes the value it could not convert, and the statement: neither may reach a log. */
function withoutValues(message: string): string {
  const [first = ''] = message.split(/\n\s*\n(?:LINE \d+:|Stack Trace:)/);
  return /^(?:Conversion|Invalid Input|Constraint|Out of Range) Error/i.test(first)
    ? first.replace(/(?:of input|string|value|Input)\b[\s\S]*$/i, '…')
    : first.trim();
}

/** Whether this engine can't go on after this error. */
export function isEngineBroken(error: unknown): boolean {
  return error instanceof Error && (BROKEN.test(error.message) || isEngineBroken(error.cause));
}

/** An error of DuckDB (or of anything below it) as the SluiceError that the user sees. A SluiceError passes unchanged. */
export function lakeError(error: unknown, doing: string, secrets: readonly string[] = []): SluiceError {
  if (error instanceof SluiceError) return error;
  const text = error instanceof Error ? error.message : String(error);
  const clean = redact(withoutValues(text), secrets);
  const kind = kinds.find(({ pattern }) => pattern.test(text));
  // The original error holds the unredacted text, in its stack too, so the cause is a copy.
  const cause = new Error(clean);
  cause.stack = clean;
  return new SluiceError(
    kind?.code ?? 'lake_failed',
    `${kind?.message ?? 'The lake engine failed'} (${doing}): ${clean}`,
    kind?.remedy ?? 'See the message; run `sluice doctor` for a check of the lake.',
    { cause },
  );
}
