import type { Program, Step } from './programs.ts';

type Query = { unsafe(text: string): Promise<unknown> };

/** Statements of the application may fail for its own reasons, never in a function of ours. */
export function blame(error: unknown, statement: string): void {
  const { where = '', message, code } = error as { where?: string; message: string; code?: string };
  // An error that an application trigger raised is not ours, though one of our functions may stand further out; the first line is the innermost.
  const innermost = where.split('\n')[0] ?? '';
  if (/audit\.|sluice/.test(innermost) || /audit\.|sluice/.test(message)) throw new Error(`${code} ${message} in ${statement}\n${where}`);
}

/** What else happens while a transaction is open. */
export interface Beside {
  /** After each of its steps. */
  afterStep?(): Promise<void>;
  /** Before it commits, when its deferred triggers and constraints have been through. */
  beforeCommit?(): Promise<void>;
}

async function runSteps(tx: Query, steps: readonly Step[], { afterStep }: Beside): Promise<void> {
  for (const step of steps) {
    await tx.unsafe('SAVEPOINT s');
    if ('statement' in step) {
      try {
        await tx.unsafe(`SELECT set_config('app.budget', '25', true), set_config('app.depth', '0', true); ${step.statement}; RELEASE s`);
      } catch (error) {
        await tx.unsafe('ROLLBACK TO s; RELEASE s');
        blame(error, step.statement);
      }
    } else {
      await runSteps(tx, step.steps, {});
      await tx.unsafe(step.end === 'release' ? 'RELEASE s' : 'ROLLBACK TO s; RELEASE s');
    }
    await afterStep?.();
  }
}

/** Run one transaction of a program. Resolves with how it ended: a deferred trigger or constraint may roll back what was to commit. */
export async function runTransaction(
  session: Query,
  { steps, end }: Program['transactions'][number],
  beside: Beside = {},
): Promise<'commit' | 'rollback'> {
  await session.unsafe(
    `BEGIN; SELECT set_config('app.budget', '25', false), set_config('app.depth', '0', false); SET LOCAL statement_timeout = '3s'`,
  );
  try {
    await runSteps(session, steps, beside);
    if (end === 'rollback') return 'rollback';
    try {
      if (beside.beforeCommit) await session.unsafe('SET CONSTRAINTS ALL IMMEDIATE');
      await beside.beforeCommit?.();
      await session.unsafe('COMMIT');
      return 'commit';
    } catch (error) {
      blame(error, 'COMMIT');
      return 'rollback';
    }
  } finally {
    await session.unsafe('ROLLBACK');
  }
}
