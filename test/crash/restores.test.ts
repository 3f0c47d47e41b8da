import { execFile } from 'node:child_process';
import { rm } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from 'vitest';
import { copyOf } from '../support/copy.ts';
import { batchesOf, type Deployment, deploy, logLines } from '../support/deployment.ts';
import { begin, deliver, expectGaps, gapsOf, now, reconnected } from '../support/gaps.ts';
import { startPostgres, type TestPostgres } from '../support/postgres.ts';
import { sharedPostgres } from '../support/shared.ts';
import { toolFolder } from '../support/tools.ts';
import { until } from '../support/until.ts';

/**
 * Cases 12 and 20: one of the two sides is set back, or another one comes in its place. Never silent: what the lake lacks, or has too much, is a gap.
 */
const run = promisify(execFile);
const version = sharedPostgres().version;
const fileOf = (lake: Deployment, name = 'lake') => join(lake.folder, 'lake', `${name}.duckdb`);

/** Set the source back to a copy of its files, two batches after it. Returns a time between the two, and how to set it back there once more. */
async function setBackByTwo(server: TestPostgres, lake: Deployment): Promise<{ lost: Date; setBack: () => Promise<void> }> {
  await begin(lake);
  await server.halt();
  const restore = await copyOf(server.dataDir);
  await server.start();
  await reconnected(lake.sql);
  await deliver(lake, 'second');
  const lost = await now(lake.sql);
  await deliver(lake, 'third');
  const setBack = async () => {
    await server.halt();
    await restore();
    await server.start();
    await reconnected(lake.sql);
  };
  await setBack();
  return { lost, setBack };
}

describe('the source is restored', () => {
  test('from a copy of its files: the lake is ahead by two batches', async () => {
    await using server = await startPostgres(version);
    await using lake = await deploy(server, { kind: 'DuckDB file' });
    const { lost, setBack } = await setBackByTwo(server, lake);
    await expectGaps(lake, [{ cause: 'source_restored', around: lost }]);
    // Found once, and not by each daemon that begins to lead.
    await lake.ok('run', '--once');
    await expectGaps(lake, [{ cause: 'source_restored', around: lost }]);

    // To the same point once more: what came after the first time is wrong now.
    await setBack();
    await expectGaps(lake, [
      { cause: 'source_restored', around: lost },
      { cause: 'source_restored', around: lost },
    ]);
  });

  test('12: and two batches are delivered elsewhere, so that its ordinals have caught up with the lake', async () => {
    await using server = await startPostgres(version);
    await using lake = await deploy(server, { kind: 'DuckDB file' });
    const { lost } = await setBackByTwo(server, lake);
    await lake.configure({ lake: `{ type: duckdb, path: "${fileOf(lake, 'elsewhere')}" }` });
    await deliver(lake, 'other second');
    await deliver(lake, 'other third');
    expect(await lake.sql`SELECT max(ordinal)::int AS last FROM audit.batch`).toMatchObject([{ last: 3 }]);
    await lake.configure();
    await expectGaps(lake, [{ cause: 'source_restored', around: lost }]);
  });

  const bin = toolFolder('pg_dump');
  test.skipIf(bin === undefined)(
    `from a dump${bin ? '' : ' (no pg_dump here)'}: refused under another name, a gap under the old one`,
    async () => {
      await using server = await startPostgres(15);
      await using lake = await deploy(server, { kind: 'DuckDB file' });
      await begin(lake);
      const dump = join(lake.folder, 'dump.sql');
      await run(`${bin}/pg_dump`, [lake.url, '-f', dump]);
      await deliver(lake, 'second');
      const lost = await now(lake.sql);
      await deliver(lake, 'third');

      const admin = (...statements: string[]) => run(`${bin}/psql`, ['-q', server.url, ...statements.flatMap((one) => ['-c', one])]);
      const old = new URL(lake.url).pathname.slice(1);
      const restored = `${lake.url}_restored`;
      await admin(`CREATE DATABASE ${old}_restored`);
      await run(`${bin}/psql`, ['-q', '-v', 'ON_ERROR_STOP=1', restored, '-f', dump], { maxBuffer: 1e8 });
      await lake.configure({ url: restored });
      const refused = await lake.run('run', '--once', '--json');
      expect(refused.code, refused.log).toBe(1);
      expect(refused.log).toContain('"code":"lake_of_another_source"');
      expect(refused.log).toContain('"remedy"');

      await lake.configure();
      await admin(`DROP DATABASE ${old} WITH (FORCE)`, `ALTER DATABASE ${old}_restored RENAME TO ${old}`);
      await reconnected(lake.sql);
      await expectGaps(lake, [{ cause: 'source_restored', around: lost }]);
    },
  );
});

describe('20: the lake is restored or replaced', () => {
  test.each(['stopped', 'running'])('a DuckDB file, the daemon %s', async (state) => {
    await using lake = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
    await begin(lake);
    const restore = await copyOf(fileOf(lake));
    const daemon = state === 'running' ? lake.start(['run']) : undefined;
    const write = async (v: string, batches: number) => {
      if (daemon === undefined) return deliver(lake, v);
      await lake.sql`INSERT INTO item (v) VALUES (${v})`;
      await until(`batch ${v}`, () => batchesOf(daemon) === batches);
    };
    try {
      await write('second', 1);
      const lost = await now(lake.sql);
      await write('third', 2);
      await restore();
      if (daemon !== undefined) {
        await write('fourth', 3);
        expect(logLines(daemon).some(({ code }) => code === 'lake_conflict')).toBe(true);
        daemon.process.kill('SIGTERM');
        expect(await daemon.ended).toMatchObject({ code: 0 });
      }
      await expectGaps(lake, [{ cause: 'other_lake', around: lost }]);

      // A new, empty one in its place.
      await rm(fileOf(lake));
      await expectGaps(lake, [{ cause: 'other_lake', around: lost }]);
      await expectGaps(lake, [{ cause: 'other_lake', around: lost }]);
    } finally {
      daemon?.process.kill('SIGKILL');
    }
  });

  test('the catalog of a DuckLake, beneath a running daemon', async () => {
    await using lake = await deploy(sharedPostgres(), { kind: 'DuckLake on PostgreSQL' });
    await begin(lake);
    const catalog = new URL(lake.catalogUrl ?? '').pathname.slice(1);
    await lake.sql.unsafe(`CREATE DATABASE ${catalog}_copy TEMPLATE ${catalog}`);
    const daemon = lake.start(['run']);
    try {
      await lake.sql`INSERT INTO item (v) VALUES ('second')`;
      await until('a batch', () => batchesOf(daemon) === 1);
      const lost = await now(lake.sql);
      await lake.sql`INSERT INTO item (v) VALUES ('third')`;
      await until('another batch', () => batchesOf(daemon) === 2);
      await lake.sql.unsafe(`DROP DATABASE ${catalog} WITH (FORCE)`);
      await lake.sql.unsafe(`ALTER DATABASE ${catalog}_copy RENAME TO ${catalog}`);
      await lake.sql`INSERT INTO item (v) VALUES ('fourth')`;
      await until('the daemon goes on', () => batchesOf(daemon) === 3);
      daemon.process.kill('SIGTERM');
      expect(await daemon.ended).toMatchObject({ code: 0 });
      await expectGaps(lake, [{ cause: 'other_lake', around: lost }]);
    } finally {
      daemon.process.kill('SIGKILL');
    }
  });
});

test('schema audit is dropped and installed again', async () => {
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
  await begin(lake);
  for (let time = 1; time <= 2; time++) {
    await lake.sql`INSERT INTO item (v) VALUES ('waits')`;
    const lost = await now(lake.sql);
    await lake.sql`DROP SCHEMA audit CASCADE`;
    await lake.sql`INSERT INTO item (v) VALUES ('captured by nobody')`;
    await lake.ok('install');
    await lake.ok('track', 'public.*');
    const [before] = time === 1 ? [] : await gapsOf(lake);
    const first = before === undefined ? [] : [{ cause: 'new_epoch', around: new Date(before.to_ts) }];
    await expectGaps(lake, [...first, { cause: 'new_epoch', around: lost }]);
  }
});
