import { execFile } from 'node:child_process';
import { existsSync, readdirSync } from 'node:fs';
import { promisify } from 'node:util';
import { expect, test } from 'vitest';
import { connect, install, readStatus, track } from '../../src/source/index.ts';
import { freshDatabase, startPostgres } from '../support/postgres.ts';

/** pg_dump and psql of Debian's packages; the embedded servers come without them. */
const BIN = existsSync('/usr/lib/postgresql')
  ? readdirSync('/usr/lib/postgresql').map((version) => `/usr/lib/postgresql/${version}/bin`)
  : [];
const bin = BIN.find((folder) => existsSync(`${folder}/pg_dump`));
const run = promisify(execFile);

test.skipIf(bin === undefined)(`a tracked database is dumped and restored without an error${bin ? '' : ' (no pg_dump here)'}`, async () => {
  await using server = await startPostgres(15);
  const [from, to] = [await freshDatabase(server), await freshDatabase(server)];
  await install(from.url);
  const source = connect({ url: from.url, applicationName: 'test' });
  await source.unsafe(
    'CREATE TABLE t (a int, b text, PRIMARY KEY (a, b)); CREATE TABLE p (id int PRIMARY KEY) PARTITION BY LIST (id); CREATE TABLE p1 PARTITION OF p FOR VALUES IN (1)',
  );
  await track(source, [
    { schema: 'public', name: 't' },
    { schema: 'public', name: 'p' },
  ]);
  await source.end();
  const { stdout } = await run(`${bin}/pg_dump`, [from.url], { maxBuffer: 1e8 });
  const restoring = run(`${bin}/psql`, ['-q', '-v', 'ON_ERROR_STOP=1', to.url]);
  restoring.child.stdin?.end(stdout);
  await restoring;

  const target = connect({ url: to.url, applicationName: 'test' });
  await target`INSERT INTO t VALUES (1, 'x')`;
  await target`UPDATE t SET a = 2`;
  await target`INSERT INTO p VALUES (1)`;
  const logged =
    await target`SELECT c.cdc_op::text AS op, t.table_name FROM audit.cdc c JOIN audit.tracked_table t USING (table_id) ORDER BY cdc_seq`;
  expect(logged.map(({ op, table_name }) => `${op} ${table_name}`).sort()).toEqual(['D t', 'I p', 'I t', 'U t']);
  expect((await readStatus(target)).tables.map(({ name, problem }) => [name, problem])).toEqual([
    ['p', 'drifted'], // its partitions have other oids now; `sluice track` accepts them
    ['t', null],
  ]);
  await target.end();
});
