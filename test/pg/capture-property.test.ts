import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Sql } from '../../src/source/index.ts';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';
import { replayDifferences } from '../support/replay.ts';
import { search, searchSeconds, searchTimeout } from '../support/search.ts';
import { type Program, program } from './programs.ts';
import { blame, runTransaction } from './run-program.ts';

/** SLUICE_PROPERTY_SECONDS: how long to search, per version. SLUICE_PROPERTY_SEED: repeat a run (the failure prints it). */
const SECONDS = searchSeconds(15);

async function execute(lab: Lab, session: Sql, { ddl, tables, transactions }: Program): Promise<void> {
  await lab.reset();
  for (const text of ddl) await lab.run(text).catch((error) => blame(error, text));
  await lab.track(...tables);
  for (const transaction of transactions) {
    for (const text of transaction.before) await lab.run(text).catch((error) => blame(error, text));
    await runTransaction(session, transaction);
    expect(await replayDifferences(lab.sql, { columnsDiffer: true })).toEqual([]);
  }
}

describe.each(testVersions())('property: capture on PostgreSQL %i', (version) => {
  let lab: Lab;
  beforeAll(async () => {
    lab = await openLab(version);
  });
  afterAll(() => lab[Symbol.asyncDispose]());

  test('the log replayed equals every table after each transaction of a random program', { timeout: searchTimeout(SECONDS) }, async () => {
    const session = lab.session();
    expect(await search(program, SECONDS, (one) => execute(lab, session, one))).toBeGreaterThan(2);
  });
});
