import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Sql } from '../../src/source/index.ts';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';
import { replayDifferences } from '../support/replay.ts';
import { type Program, program, type Step } from './programs.ts';

/** SLUICE_PROPERTY_SECONDS: how long to search, per version. SLUICE_PROPERTY_SEED: repeat a run (the failure prints it). */
const SECONDS = Number(process.env.SLUICE_PROPERTY_SECONDS ?? 25);
const SEED = process.env.SLUICE_PROPERTY_SEED;

type Query = { unsafe(text: string): Promise<unknown> };

/** Statements of the application may fail for its own reasons, never in a function of ours. */
function blame(error: unknown, statement: string): void {
  const { where = '', message, code } = error as { where?: string; message: string; code?: string };
  // An error that an application trigger raised is not ours, though one of our functions may stand further out; the first line is the innermost.
  const innermost = where.split('\n')[0] ?? '';
  if (/audit\.|sluice/.test(innermost) || /audit\.|sluice/.test(message)) throw new Error(`${code} ${message} in ${statement}\n${where}`);
}

async function runSteps(tx: Query, steps: readonly Step[]): Promise<void> {
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
      await runSteps(tx, step.steps);
      await tx.unsafe(step.end === 'release' ? 'RELEASE s' : 'ROLLBACK TO s; RELEASE s');
    }
  }
}

async function execute(lab: Lab, session: Sql, { ddl, tables, transactions }: Program): Promise<void> {
  await lab.reset();
  for (const text of ddl) await lab.run(text).catch((error) => blame(error, text));
  await lab.track(...tables);
  for (const { before, steps, end } of transactions) {
    for (const text of before) await lab.run(text).catch((error) => blame(error, text));
    await session.unsafe(
      `BEGIN; SELECT set_config('app.budget', '25', false), set_config('app.depth', '0', false); SET LOCAL statement_timeout = '3s'`,
    );
    try {
      await runSteps(session, steps);
      await session.unsafe(end === 'commit' ? 'COMMIT' : 'ROLLBACK').catch((error) => blame(error, end));
    } finally {
      await session.unsafe('ROLLBACK');
    }
    expect(await replayDifferences(lab.sql, { columnsDiffer: true })).toEqual([]);
  }
}

describe.each(testVersions())('property: capture on PostgreSQL %i', (version) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(version);
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test('the log replayed equals every table after each transaction of a random program', { timeout: SECONDS * 3000 + 60_000 }, async () => {
    const session = lab.session();
    let runs = 0;
    await fc.assert(
      fc.asyncProperty(program, async (one) => {
        runs++;
        await execute(lab, session, one);
      }),
      { numRuns: 1_000_000, interruptAfterTimeLimit: SECONDS * 1000, ...(SEED ? { seed: Number(SEED) } : {}) },
    );
    expect(runs).toBeGreaterThan(2);
  });
});
