import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { PostgreSqlContainer, type StartedPostgreSqlContainer } from '@testcontainers/postgresql';
import postgres from 'postgres';
import { getContainerRuntimeClient, ImageName } from 'testcontainers';
import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

const exec = promisify(execFile);
const root = fileURLToPath(new URL('../..', import.meta.url));
const main = join(root, 'src/cli/main.ts');

// Ryuk removes the containers of killed runs, but is an image that must be pulled; ours are stopped below.
process.env.TESTCONTAINERS_RYUK_DISABLED ??= 'true';

const IMAGE = 'postgres:17';
const noDocker = await whyNotHere();

/** Why no container of the image can be started on this machine; undefined if one can. */
async function whyNotHere(): Promise<string | undefined> {
  const messageOf = (error: unknown) => (error instanceof Error ? error.message : String(error));
  try {
    const { image } = await getContainerRuntimeClient();
    const name = ImageName.fromString(IMAGE);
    if (await image.exists(name)) return undefined;
    return await image.pull(name).then(
      () => undefined,
      (error: unknown) => `${IMAGE} is not on this machine and can't be pulled: ${messageOf(error)}`,
    );
  } catch (error) {
    return `no Docker engine answers: ${messageOf(error)}`;
  }
}

describe(`with the ${IMAGE} image`, () => {
  let container: StartedPostgreSqlContainer;
  let folder: string;

  beforeAll(async () => {
    // The default reporter keeps the reason of a skipped test to itself.
    if (noDocker) return console.warn(`SKIPPED: ${noDocker}`);
    folder = await mkdtemp(join(tmpdir(), 'sluice-containers-'));
    container = await new PostgreSqlContainer(IMAGE).start();
  });
  afterAll(async () => {
    await container?.stop();
    if (folder) await rm(folder, { recursive: true, force: true });
  });
  beforeEach((context) => {
    if (noDocker) context.skip(noDocker);
  });

  test('source and DuckLake catalog in a container: what is written is in the log once; a killed container leaves a gap', async () => {
    const url = container.getConnectionUri();
    const admin = postgres(url, { max: 1 });
    await admin`CREATE DATABASE catalog`;
    await admin`CREATE TABLE "Straße" (id int PRIMARY KEY, "größe" text COLLATE "en_US.utf8")`;
    await admin.end();

    const sluice = async (...args: string[]) => {
      const source = container.getConnectionUri();
      const catalog = new URL(source);
      catalog.pathname = '/catalog';
      const env = {
        ...process.env,
        SLUICE_SOURCE_URL: source,
        SLUICE_LAKE_CATALOG: catalog.href,
        SLUICE_LAKE_DATA: join(folder, 'data'),
        SLUICE_LOG_LEVEL: 'error',
      };
      const { stdout } = await exec(process.execPath, [main, ...args, '--json'], { cwd: folder, env });
      return stdout.trim() === '' ? undefined : JSON.parse(stdout);
    };
    const write = async (statement: string) => {
      const sql = postgres(container.getConnectionUri(), { max: 1 });
      await sql.unsafe(statement);
      await sql.end();
    };
    const log = () => sluice('query', `SELECT cdc_op AS op, data->>'id' AS id, data->>'größe' AS "größe" FROM cdc ORDER BY cdc_seq`);

    await sluice('install');
    await sluice('track', 'public.*');
    await write(`INSERT INTO "Straße" SELECT i, 'ß' || i FROM generate_series(1, 1000) i`);
    await sluice('run', '--once');
    const first = await log();
    expect(first).toHaveLength(1000);
    expect(first[999]).toEqual({ op: 'I', id: '1000', größe: 'ß1000' });

    await write(`DELETE FROM "Straße" WHERE id > 1`);
    await container.restart({ timeout: 20_000 });
    await sluice('run', '--once');
    const second = await log();
    expect(second.slice(0, 1000)).toEqual(first);
    expect(second.slice(1000).map(({ op }: { op: string }) => op)).toEqual(Array(999).fill('D'));
    expect(await sluice('query', 'SELECT * FROM sluice.gap')).toEqual([]);

    // Killed, not stopped: PostgreSQL empties the unlogged buffer, and that is said.
    await write(`UPDATE "Straße" SET "größe" = 'lost'`);
    // A restart with no time to stop in sends the signal to stop first, and now and then PostgreSQL is quick enough.
    const { container: containers } = await getContainerRuntimeClient();
    await containers.dockerode.getContainer(container.getId()).kill();
    await container.restart({ timeout: 20_000 });
    await sluice('run', '--once');
    expect(await log()).toEqual(second);
    expect(await sluice('query', 'SELECT * FROM sluice.gap')).toHaveLength(1);
  });

  test('examples/testcontainers passes as a user would run it', async () => {
    // What npm does for a user: the command is on the PATH.
    await writeFile(join(folder, 'sluice'), `#!/bin/sh\nexec '${process.execPath}' '${main}' "$@"\n`, { mode: 0o755 });
    const path = [folder, process.env.PATH].join(delimiter);
    const { NODE_OPTIONS: _, NODE_TEST_CONTEXT: __, ...env } = process.env;
    const { stdout } = await exec(
      process.execPath,
      ['--test', '--test-reporter=tap', join(root, 'examples/testcontainers/orders.test.ts')],
      {
        cwd: root,
        env: { ...env, PATH: path },
      },
    );
    expect(stdout).toMatch(/^# pass 1$/m);
    expect(stdout).toMatch(/^# fail 0$/m);
  });
});
