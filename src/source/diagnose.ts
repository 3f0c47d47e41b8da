import { SluiceError } from '../model/error.ts';
import type { Sql } from './connect.ts';
import { assertInstalled } from './install.ts';
import { objectNames, statement } from './sql.ts';
import { readTables, type TableProblem, type TableStatus } from './status.ts';

export interface Finding {
  readonly level: 'ok' | 'warning' | 'error';
  /** What was looked at, in a word or two. */
  readonly check: string;
  readonly message: string;
  /** What to do; empty where nothing is wrong. */
  readonly remedy: string;
}

interface ServerRow {
  version_num: number;
  version: string;
  standby: boolean;
  role: string;
  superuser: boolean;
  statement_timeout: string;
  autovacuum: string;
  clock_ms: number;
  replica_roles: string[] | null;
}

interface AuditRow {
  no_execute: string[] | null;
  no_select: string[] | null;
  foreign_objects: string[] | null;
  orphans: string[] | null;
  pair_alike: boolean;
  sentinel: boolean;
  holders: { pid: number; application: string; seconds: number }[] | null;
}

const ok = (check: string, message: string): Finding => ({ level: 'ok', check, message, remedy: '' });
const warning = (check: string, message: string, remedy: string): Finding => ({ level: 'warning', check, message, remedy });
const error = (check: string, message: string, remedy: string): Finding => ({ level: 'error', check, message, remedy });

/** Clocks further apart than this make lags and times in the lake hard to read. */
const CLOCK_TOLERANCE_MS = 2_000;

/** Everything doctor can say of the source, most basic first. Stops where a finding makes the following checks impossible. */
export async function diagnose(sql: Sql): Promise<Finding[]> {
  const asked = Date.now();
  const [server] = await sql.unsafe<ServerRow[]>(statement('diagnose'));
  if (!server) throw new Error('the diagnose query returns one row');
  const findings = checkServer(server, (asked + Date.now()) / 2);
  try {
    await assertInstalled(sql);
    findings.push(ok('install', 'schema audit is installed'));
  } catch (problem) {
    if (problem instanceof SluiceError) return [...findings, error('install', problem.message, problem.remedy)];
    // insufficient_privilege: without any right on the schema nothing more can be looked at.
    if ((problem as { code?: unknown }).code !== '42501') throw problem;
    return [...findings, lacksPrivileges(server.role, ['schema audit'])];
  }
  const { functions, relations } = objectNames();
  const [audit] = await sql.unsafe<AuditRow[]>(statement('diagnose_audit'), [functions, relations]);
  if (!audit) throw new Error('the diagnose_audit query returns one row');
  return [...findings, ...checkAudit(audit, server.role), ...(await readTables(sql)).flatMap(checkTable)];
}

function checkServer(server: ServerRow, now: number): Finding[] {
  const findings: Finding[] = [];
  findings.push(
    server.version_num >= 150000
      ? ok('version', `PostgreSQL ${server.version}`)
      : error('version', `PostgreSQL ${server.version} is too old`, 'Use PostgreSQL 15 or later.'),
  );
  if (server.standby) findings.push(error('server', 'source.url leads to a standby', 'Point it to the primary.'));
  if (server.superuser) {
    findings.push(
      warning(
        'role',
        `${server.role} is a superuser, which sluice never needs`,
        "Create a role for it and run: select audit.grant_daemon('role')",
      ),
    );
  }
  if (server.statement_timeout !== '0') {
    findings.push(
      warning(
        'settings',
        `statement_timeout is ${server.statement_timeout} for ${server.role}: a large batch may not be read in time`,
        `ALTER ROLE ${server.role} SET statement_timeout = 0`,
      ),
    );
  }
  if (server.autovacuum !== 'on') {
    findings.push(warning('settings', 'autovacuum is off: swaps leave dead rows in pg_class', 'Turn autovacuum on.'));
  }
  const apart = Math.round(server.clock_ms - now);
  findings.push(
    Math.abs(apart) <= CLOCK_TOLERANCE_MS
      ? ok('clock', `source and this machine are ${Math.abs(apart)} ms apart`)
      : warning(
          'clock',
          `the clock of the source is ${apart} ms off this machine's`,
          'Synchronise both with NTP: lags are computed from them.',
        ),
  );
  if (server.replica_roles) {
    findings.push(
      warning(
        'triggers',
        `session_replication_role is set for ${server.replica_roles.join(', ')}: triggers don't fire there`,
        'Reset it: changes of these roles are not captured.',
      ),
    );
  }
  return findings;
}

function checkAudit(audit: AuditRow, role: string): Finding[] {
  const findings: Finding[] = [];
  const lacking = [...(audit.no_execute ?? []), ...(audit.no_select ?? [])];
  findings.push(lacking.length === 0 ? ok('privileges', `${role} may drain`) : lacksPrivileges(role, lacking));
  if (!audit.pair_alike) {
    findings.push(
      error(
        'buffer',
        'audit.cdc and audit.cdc_old differ in owner, grants or persistence',
        'Make them alike, or run `sluice install` again.',
      ),
    );
  }
  if (audit.orphans) {
    findings.push(
      error(
        'triggers',
        `triggers whose table is not in the registry, as a restore leaves them: ${audit.orphans.join(', ')}`,
        'Run `sluice track` for these tables: it replaces them.',
      ),
    );
  }
  if (!audit.sentinel) {
    findings.push(
      warning('buffer', 'a crash or failover has emptied the buffer', 'Start the daemon: it names the gap in sluice.gap of the lake.'),
    );
  }
  for (const { pid, application, seconds } of audit.holders ?? []) {
    findings.push(
      warning(
        'buffer',
        `session ${pid} (${application || 'unnamed'}) has held the buffer for ${seconds} s: batches are moved instead of swapped`,
        'End it, if it is not a pg_dump that will end by itself; see Backups in docs/operations.md.',
      ),
    );
  }
  if (audit.foreign_objects) {
    findings.push(
      warning(
        'schema audit',
        `not of pg-sluice: ${audit.foreign_objects.join(', ')}`,
        'Move them elsewhere: `sluice uninstall` drops the schema with all that is in it.',
      ),
    );
  }
  return findings;
}

function lacksPrivileges(role: string, lacking: readonly string[]): Finding {
  return error(
    'privileges',
    `${role} may not use ${lacking.join(', ')}`,
    `As the owner of schema audit: select audit.grant_daemon('${role.replaceAll("'", "''")}')`,
  );
}

const PROBLEMS: Record<TableProblem, { level: 'warning' | 'error'; what: string; remedy: string }> = {
  dropped: { level: 'warning', what: 'was dropped', remedy: 'None: what it had logged stays in the lake.' },
  partition: {
    level: 'error',
    what: 'has become a partition: changes through its root are not captured',
    remedy: 'sluice untrack it, then sluice track the root.',
  },
  refused: {
    level: 'error',
    what: 'can no longer be captured in proved order',
    remedy: 'Mend what is said, then run `sluice track` for it again.',
  },
  unproved: {
    level: 'warning',
    what: 'had statements whose rows could not be read again: their order in the log is not proved',
    remedy: 'See docs/limits.md; `sluice track` for it again once the cause is mended.',
  },
  bypassed: {
    level: 'error',
    what: 'lacks triggers, so changes are missed or may be logged out of order',
    remedy: 'Run `sluice track` for it again.',
  },
  disabled: {
    level: 'error',
    what: 'has triggers that are disabled: changes are not captured',
    remedy: 'ALTER TABLE … ENABLE TRIGGER, for each of them.',
  },
  paused: {
    level: 'error',
    what: 'is not captured for the moment, because the lake was away and the buffer too large (disk_guard)',
    remedy: 'Let the daemon reach the lake: capture goes on by itself once the buffer is delivered. The gap is named in sluice.gap.',
  },
  drifted: {
    level: 'warning',
    what: 'has rows that changed without a trigger',
    remedy: 'Run `sluice track` for it again to accept this; the log does not show those changes.',
  },
};

function checkTable({ schema, name, key, problem, details, stale }: TableStatus): Finding[] {
  const check = `${schema}.${name}`;
  if (problem) {
    const { level, what, remedy } = PROBLEMS[problem];
    return [{ level, check, message: details.length > 0 ? `${what} (${details.join(', ')})` : what, remedy }];
  }
  const findings: Finding[] = [];
  if (stale) {
    findings.push(
      warning(
        check,
        'its columns or its key changed: it is captured right, but the slow way',
        'Run `sluice track`, or: select audit.refresh(…) with its table_id.',
      ),
    );
  }
  if (key === null) {
    findings.push(
      warning(
        check,
        'has no key: it is logged, but has no current state',
        'Give it a primary key, or name one with `key` in `tables`, then run `sluice track` for it again.',
      ),
    );
  }
  return findings.length > 0 ? findings : [ok(check, 'captured')];
}
