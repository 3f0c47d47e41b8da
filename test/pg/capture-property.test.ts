import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Sql } from '../../src/source/index.ts';
import { type Lab, openLab } from '../support/lab.ts';
import { testVersions } from '../support/postgres.ts';
import { replayDifferences } from '../support/replay.ts';
import { search, searchSeconds, searchTimeout } from '../support/search.ts';
import { type Program, program } from './programs.ts';
import { blame, runTransaction } from './run-program.ts';

/** SLUICE_PROPERTY_SECONDS: how long to search, per version. SLUICE_PROPERTY_SEED: repeat a run (the failure prints it). */
const SECONDS = searchSeconds(10);

/**
 * A log is replayed by one key. So where a program gives a table another key, what was captured under the old one makes way for the rows
 * that it has led to: to read changes under the key of their time is the lake's work (see `needs_load`).
 */
async function startOver(lab: Lab, tables: readonly string[]): Promise<void> {
  await lab.run('DELETE FROM audit.cdc');
  for (const table of tables)
    await lab.run(`INSERT INTO audit.cdc (cdc_op, table_id, data)
      SELECT 'I', e.table_id, row_to_json(t.*) FROM ${table} t, audit.tracked_table e WHERE e.relid = '${table}'::regclass`);
}

async function execute(lab: Lab, session: Sql, way: 'row' | 'statement', { ddl, tables, transactions }: Program): Promise<void> {
  await lab.reset();
  for (const text of ddl) await lab.run(text).catch((error) => blame(error, text));
  await lab.track(...tables);
  // Partitioned tables are captured by row whatever is asked for.
  if (way === 'statement') await lab.run(`SELECT audit.track(relid, '{"capture": "statement"}') FROM audit.tracked_table`);
  for (const transaction of transactions) {
    for (const text of transaction.before) await lab.run(text).catch((error) => blame(error, text));
    if (transaction.before.some((text) => text.includes('PRIMARY KEY'))) await startOver(lab, tables);
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

  test.each(['row', 'statement'] as const)(
    'by %s: the log replayed equals every table after each transaction of a random program',
    { timeout: searchTimeout(SECONDS) },
    async (way) => {
      const session = lab.session();
      expect(await search(program, SECONDS, (one) => execute(lab, session, way, one))).toBeGreaterThan(2);
    },
  );
});
