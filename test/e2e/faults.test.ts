import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { chmod, mkdir } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { type Child, type Ended, start } from '../support/child.ts';
import { type Deployment, deploy, MAIN } from '../support/deployment.ts';
import { freshDatabase } from '../support/postgres.ts';
import { sharedPostgres } from '../support/shared.ts';
import { until } from '../support/until.ts';

/** What a user sees whose configuration, rights or lake are wrong. */
interface Seen {
  readonly code: string;
  readonly message: string;
  readonly remedy: string;
}

const WRONG_PASSWORD = 'not-the-passw0rd';

let lake: Deployment;
beforeAll(async () => {
  lake = await deploy(sharedPostgres(), { kind: 'DuckLake on PostgreSQL' });
  await lake.sql`CREATE TABLE item (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, v text)`;
  await lake.ok('install');
  await lake.ok('track', 'public.*');
  await lake.sql`INSERT INTO item (v) SELECT 'waits' FROM generate_series(1, 100)`;
}, 120_000);
afterAll(() => lake?.[Symbol.asyncDispose]());

/** The error of a command that fails: alone on stderr and nothing on stdout, as JSON and as two lines that say the same. */
async function failureOf(...args: string[]): Promise<Seen> {
  const [json, text] = await Promise.all([lake.run(...args, '--json', ...quiet(args)), lake.run(...args, ...quiet(args))]);
  expect(json, json.log).toMatchObject({ code: 1, stdout: '' });
  expect(text, text.log).toMatchObject({ code: 1, stdout: '' });
  const { error } = JSON.parse(json.log) as { error: Seen };
  expect(Object.keys(error)).toEqual(['code', 'message', 'remedy']);
  const [first, second, ...more] = text.log.trimEnd().split('\n');
  expect(first).toMatch(new RegExp(`^error: .+ \\[${error.code}\\]$`));
  expect(second).toMatch(/^remedy: .+/);
  expect(more).toEqual([]);
  expectNoPassword(json, text);
  return error;
}

/** `run` logs to stderr as well: retries and the like. */
const quiet = ([command]: readonly string[]) => (command === 'run' ? ['--log-level', 'silent'] : []);

/** The error findings of doctor, which exits with 1 because of them. */
async function doctorOf(env: NodeJS.ProcessEnv = {}): Promise<{ check: string; message: string; remedy: string }[]> {
  const ended = await lake.start(['doctor', '--json'], env).ended;
  expect(ended.code, ended.log).toBe(1);
  expectNoPassword(ended);
  const { ok, findings } = JSON.parse(ended.stdout) as {
    ok: boolean;
    findings: { level: string; check: string; message: string; remedy: string }[];
  };
  expect(ok).toBe(false);
  const errors = findings.filter(({ level }) => level === 'error');
  for (const { remedy } of errors) expect(remedy).not.toBe('');
  return errors;
}

function expectNoPassword(...all: Ended[]): void {
  const passwords = [new URL(lake.url).password, WRONG_PASSWORD];
  for (const { stdout, log } of all) for (const password of passwords) expect(`${stdout}${log}`).not.toContain(password);
}

const changed = (change: (url: URL) => void): string => {
  const url = new URL(lake.url);
  change(url);
  return url.href;
};

describe('the source', () => {
  const wrong: [string, Seen['code'], RegExp, (url: URL) => void][] = [
    ['port', 'source_unreachable', /host and port/, (url) => Object.assign(url, { port: '1' })],
    ['host', 'source_unreachable', /host and port/, (url) => Object.assign(url, { hostname: 'no-such-host.invalid' })],
    ['password', 'source_auth', /user and password/, (url) => Object.assign(url, { password: WRONG_PASSWORD })],
    ['database', 'source_no_database', /database name/, (url) => Object.assign(url, { pathname: '/no_such_database' })],
  ];
  test.each(wrong)('wrong %s', async (_what, code, remedy, change) => {
    await lake.configure({ url: changed(change) });
    expect(await failureOf('run')).toMatchObject({ code, remedy: expect.stringMatching(remedy) });
    expect(await failureOf('status')).toMatchObject({ code, remedy: expect.stringMatching(remedy) });
    const [finding] = await doctorOf();
    expect(finding).toMatchObject({ check: 'source', remedy: expect.stringMatching(remedy) });
  });

  test('a role that lacks the privileges', async () => {
    const role = `plain_${randomBytes(4).toString('hex')}`;
    await lake.sql.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD '${WRONG_PASSWORD}'`);
    try {
      await lake.configure({ url: changed((url) => Object.assign(url, { username: role, password: WRONG_PASSWORD })) });
      const expected = { code: 'source_privilege', message: expect.stringContaining('permission denied for schema audit') };
      expect(await failureOf('run')).toMatchObject(expected);
      expect(await failureOf('status')).toMatchObject(expected);
      expect(JSON.stringify(await doctorOf())).toContain('audit.grant_daemon');
      // May look, but not drain.
      await lake.sql.unsafe(`GRANT USAGE ON SCHEMA audit TO ${role}; GRANT SELECT ON audit.migration TO ${role}`);
      expect(await failureOf('run', '--once')).toMatchObject({ code: 'source_privilege' });
      expect(JSON.stringify(await doctorOf())).toContain(`audit.grant_daemon('${role}')`);
    } finally {
      await lake.sql.unsafe(`DROP OWNED BY ${role}; DROP ROLE ${role}`);
    }
  });

  test('not installed', async () => {
    const empty = await freshDatabase(sharedPostgres());
    try {
      await lake.configure({ url: empty.url });
      const expected = { code: 'not_installed', remedy: expect.stringContaining('sluice install') };
      expect(await failureOf('run')).toMatchObject(expected);
      expect(await failureOf('status')).toMatchObject(expected);
      expect(await failureOf('track', 'public.*')).toMatchObject(expected);
      expect(await doctorOf()).toMatchObject([{ check: 'install', remedy: expect.stringContaining('sluice install') }]);
    } finally {
      await empty.drop();
    }
  });
});

test('an unknown key of the configuration: the nearest known one is named', async () => {
  await lake.configure({ more: 'memory_limt: 1GB\n' });
  for (const command of ['run', 'status', 'doctor']) {
    const seen = await failureOf(command);
    expect(`${seen.message} ${seen.remedy}`).toMatch(/memory_limt[\s\S]*memory_limit/);
    expect(seen.message).toContain('sluice.yaml');
  }
});

describe('the lake', () => {
  const wrong: [string, Seen['code'], (url: URL) => void][] = [
    ['port', 'lake_unreachable', (url) => Object.assign(url, { port: '1' })],
    ['password', 'lake_denied', (url) => Object.assign(url, { password: WRONG_PASSWORD })],
  ];
  test.each(wrong)('wrong %s of the catalog', async (_what, code, change) => {
    const catalog = new URL(lake.catalogUrl ?? '');
    change(catalog);
    await lake.configure({ lake: `{ type: ducklake, catalog: "${catalog}", data: ./lake }` });
    // It tries for 15 seconds.
    const running = lake.run('run', '--once', '--json', '--log-level', 'silent');
    expect(await doctorOf()).toMatchObject([{ check: 'lake' }]);
    // The source is looked at all the same.
    const status = await lake.run('status', '--json');
    expect(status.code).toBe(1);
    expect(JSON.parse(status.stdout)).toMatchObject({ tables: [{ name: 'item', problem: null }], lake: { error: { code } } });
    const run = await running;
    expect(run, run.log).toMatchObject({ code: 1, stdout: '' });
    expect(JSON.parse(run.log).error).toMatchObject({ code, remedy: expect.stringContaining('catalog') });
    expectNoPassword(run, status);
  });

  test.runIf(process.platform === 'linux')('a folder that refuses a new one inside as if it were missing: /proc', async () => {
    await lake.configure();
    const child = lake.start(['doctor', '--json'], { SLUICE_LAKE_DATA: '/proc/x' });
    await endsWithin(child, 60_000);
    const { findings } = JSON.parse((await child.ended).stdout);
    expect(findings).toContainEqual(
      expect.objectContaining({ level: 'error', check: 'lake', message: expect.stringContaining('/proc/x') }),
    );
    const file = lake.start(['run', '--once', '--json', '--log-level', 'silent'], {
      SLUICE_LAKE_TYPE: 'duckdb',
      SLUICE_LAKE_PATH: '/proc/x/lake.duckdb',
    });
    await endsWithin(file, 60_000);
    expect(JSON.parse((await file.ended).log).error).toMatchObject({
      code: 'lake_unreachable',
      remedy: expect.stringContaining('data path'),
    });
  });

  test.each(['duckdb', 'ducklake'])('a folder that may not be written or read, %s: said, and nothing lost', async (type) => {
    const folder = join(lake.folder, `closed-${type}`);
    await mkdir(folder);
    const place =
      type === 'duckdb' ? `path: "${folder}/lake.duckdb"` : `catalog: "sqlite:${lake.folder}/closed.sqlite", data: "${folder}/data"`;
    await lake.configure({ lake: `{ type: ${type}, ${place} }` });
    await lake.sql`INSERT INTO item (v) VALUES (${`for ${type}`})`;
    await chmod(folder, 0o000);
    const { code, log } = await asPlainUser(['run', '--once', '--json', '--log-level', 'silent']).ended;
    expect(code, log).toBe(1);
    expect(JSON.parse(log).error).toMatchObject({ code: 'lake_denied', remedy: expect.stringContaining('rights') });
    const doctor = await asPlainUser(['doctor', '--json']).ended;
    expect(doctor.code, doctor.log).toBe(1);
    expect(JSON.parse(doctor.stdout).findings).toContainEqual(
      expect.objectContaining({ level: 'error', check: 'lake', message: expect.stringContaining(folder) }),
    );
    await chmod(folder, 0o700);
    await lake.ok('run', '--once');
    expect((await lake.changes()).at(-1)?.data).toContain(`for ${type}`);
  });
});

/** A command as somebody to whom permissions apply: root reads everything, unless the capabilities for that are taken away. */
function asPlainUser(args: readonly string[]): Child {
  if (process.getuid?.() !== 0) return lake.start(args);
  const setpriv = ['--bounding-set', '-dac_override,-dac_read_search', process.execPath, MAIN, ...args];
  expect(() => execFileSync('setpriv', ['--version']), 'as root this test needs setpriv (util-linux)').not.toThrow();
  return start('setpriv', setpriv, { cwd: lake.folder, env: process.env });
}

async function endsWithin(child: Child, ms: number): Promise<void> {
  try {
    await until('the command ends', () => child.process.exitCode !== null, ms);
  } finally {
    child.process.kill('SIGKILL');
  }
}
