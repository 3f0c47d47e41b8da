import { expect, test } from 'vitest';
import { placesFor, withEngine } from '../../src/cli/lake.ts';
import { loadConfig } from '../../src/config/index.ts';
import { attachStatement } from '../../src/lake/config.ts';
import { extensionsFor, loadExtensions } from '../../src/lake/index.ts';
import { type Deployment, deploy, LAKES, logLines } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';
import { until } from '../support/until.ts';

interface Verified {
  readonly tables: { name: string; rows: number | null; differences: number | null; keys: unknown[]; repaired: boolean }[];
}

/** Write to the lake by hand, as `lake`. */
async function damage({ folder }: Deployment, ...statements: string[]): Promise<void> {
  const config = loadConfig({ file: `${folder}/sluice.yaml`, env: process.env, cwd: folder, flags: {} });
  await withEngine(config, process, async (engine) => {
    await loadExtensions(engine, extensionsFor(config.lake, 'fifo'), placesFor(config));
    await engine.run(attachStatement(config.lake, 'write'));
    for (const statement of statements) await engine.run(statement);
    await engine.run('DETACH lake');
  });
}

async function expectEqual(lake: Deployment): Promise<void> {
  expect(await lake.ok('query', 'FROM public.item ORDER BY id')).toEqual([...(await lake.sql`SELECT * FROM item ORDER BY id`)]);
}

const DAMAGE = [
  'DELETE FROM lake.public.item WHERE id = 1',
  "UPDATE lake.public.item SET v = 'by hand' WHERE id = 2",
  "INSERT INTO lake.public.item VALUES (9000, 'never was')",
];
const FOUND = [
  { difference: 'different', key: { id: 2 } },
  { difference: 'extra', key: { id: 9000 } },
  { difference: 'missing', key: { id: 1 } },
];

test.each(LAKES)('snapshot, verify and reset do the loads themselves where no daemon leads: %s', { timeout: 180_000 }, async (kind) => {
  await using lake = await deploy(sharedPostgres(), { kind });
  await lake.sql.unsafe(`CREATE TABLE item (id int PRIMARY KEY, v text); INSERT INTO item SELECT g, 'v' || g FROM generate_series(1, 1000) g;
    CREATE TABLE note (t text); INSERT INTO note VALUES ('x'), ('x')`);
  await lake.ok('install');
  await lake.ok('track', 'public.*');
  // The first load is the one that was asked for.
  expect(await lake.ok('snapshot')).toEqual({
    loaded: [
      { schema: 'public', name: 'item', rows: 1000, missing: 1000, different: 0, extra: 0 },
      { schema: 'public', name: 'note', rows: 2, missing: 2, different: 0, extra: 0 },
    ],
  });
  expect(await lake.ok('query', 'SELECT mode, rows FROM sluice.load ORDER BY rows')).toEqual([
    { mode: 'fill', rows: 2 },
    { mode: 'fill', rows: 1000 },
  ]);
  expect((await lake.ok<Verified>('verify')).tables).toMatchObject([
    { name: 'item', rows: 1000, differences: 0, keys: [] },
    { name: 'note', rows: null, differences: null },
  ]);

  await damage(lake, ...DAMAGE);
  const found = await lake.run('verify', '--json');
  expect(found.code).toBe(1);
  expect((JSON.parse(found.stdout) as Verified).tables[0]).toMatchObject({
    differences: 3,
    missing: 1,
    different: 1,
    extra: 1,
    repaired: false,
    keys: FOUND,
  });
  const people = await lake.run('verify', 'public.item');
  expect(people.code).toBe(1);
  expect(people.stdout).toMatch(/public\.item +1,000 +3 +1 +1 +1/);
  expect(people.stdout).toMatch(/public\.item +extra +\{"id":9000\}/);
  expect(people.stdout).toContain('sluice verify --repair');
  // What the lake has too much is not read.
  const sampled = await lake.run('verify', '--sample', '100', '--json');
  expect((JSON.parse(sampled.stdout) as Verified).tables[0]).toMatchObject({ rows: 1000, differences: 2, extra: 0 });
  expect((await lake.ok<Verified>('verify', '--repair')).tables[0]).toMatchObject({ differences: 3, repaired: true, keys: FOUND });
  await expectEqual(lake);
  expect((await lake.ok<Verified>('verify')).tables[0]).toMatchObject({ differences: 0 });

  await damage(lake, ...DAMAGE);
  expect(await lake.ok('snapshot', 'public.item')).toMatchObject({ loaded: [{ rows: 1000, missing: 1, different: 1, extra: 1 }] });
  await expectEqual(lake);
  expect(await lake.ok('snapshot', '--full', 'public.*')).toMatchObject({
    loaded: [
      { name: 'item', rows: 1000 },
      { name: 'note', rows: 2 },
    ],
  });
  await expectEqual(lake);
  const history = "SELECT count(*)::INT AS n FROM public_changes.item WHERE _op = 'R'";
  expect((await lake.ok<{ n: number }[]>('query', history))[0]?.n).toBeGreaterThan(1000);
  expect((await lake.run('reset', 'public.item')).stdout).toMatch(/public\.item +1,000 +1,000 +0 +0/);
  await expectEqual(lake);
  expect(await lake.ok('query', history)).toEqual([{ n: 1000 }]);
});

test('what is asked for can be wrong', { timeout: 120_000 }, async () => {
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
  const failure = async (status: number, ...args: string[]) => {
    const { code, log } = await lake.run(...args, '--json');
    expect(code, log).toBe(status);
    return (JSON.parse(log) as { error: { code: string; message: string; remedy: string } }).error;
  };
  expect(await failure(1, 'snapshot')).toMatchObject({ code: 'not_installed' });
  await lake.ok('install');
  expect(await failure(1, 'snapshot')).toMatchObject({ code: 'no_tables' });
  await lake.sql.unsafe('CREATE TABLE orders (id int PRIMARY KEY); CREATE TABLE memorandum (t text)');
  await lake.ok('track', 'public.*');
  expect(await failure(1, 'verify', 'public.oders')).toMatchObject({ code: 'unknown_table', remedy: 'Did you mean public.orders?' });
  expect(await failure(1, 'reset', 'x.y')).toMatchObject({ code: 'unknown_table', message: 'No tracked table is x.y.' });
  expect(await failure(2, 'reset')).toMatchObject({ code: 'usage' });
  expect(await failure(2, 'verify', '--sample', '0')).toMatchObject({ code: 'usage' });
  // Nothing to compare is no failure, and asks for nothing.
  const { code, stdout } = await lake.run('verify', 'public.memorandum');
  expect({ code, stdout }).toMatchObject({ code: 0, stdout: expect.stringMatching(/public\.memorandum +no key: nothing to compare/) });
  expect(await lake.sql`SELECT FROM audit.load`).toHaveLength(0);
});

test('where a daemon leads it does the loads; two who ask for the same both get an answer', { timeout: 180_000 }, async () => {
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
  await lake.sql.unsafe(
    `CREATE TABLE item (id int PRIMARY KEY, v text); INSERT INTO item SELECT g, 'v' || g FROM generate_series(1, 1000) g`,
  );
  await lake.ok('install');
  await lake.ok('track', 'public.*');
  await lake.ok('run', '--once', '--log-level', 'silent');
  await damage(lake, ...DAMAGE);
  const daemon = lake.start(['run']);
  try {
    await until('leading', () => logLines(daemon).some(({ msg }) => msg === 'leading'));
    const verified = await Promise.all([lake.run('verify', '--json'), lake.run('verify', '--json')]);
    for (const { code, stdout } of verified) {
      expect(code).toBe(1);
      expect((JSON.parse(stdout) as Verified).tables[0]?.differences).toBe(3);
    }
    expect(await lake.ok('snapshot')).toMatchObject({ loaded: [{ missing: 1, different: 1, extra: 1 }] });
    // A table that goes before its load begins.
    const [tracked] = await lake.sql<{ id: number }[]>`SELECT table_id AS id FROM audit.tracked_table`;
    await lake.sql`SELECT audit.untrack('item')`;
    await lake.sql`SELECT audit.request_load(${tracked?.id ?? 0}, 'compare')`;
    await until('it is given up', async () => (await lake.sql`SELECT FROM audit.load WHERE done_at IS NULL`).length === 0);
  } finally {
    daemon.process.kill('SIGTERM');
  }
  expect(await daemon.ended).toMatchObject({ code: 0 });
});

interface Status {
  readonly tables: { verified: { differences: number; repaired: boolean; at: string } | null }[];
  readonly loads: {
    name: string;
    mode: string;
    rows: number | null;
    expected: number;
    percent: number;
    rowsPerSecond: number;
    secondsLeft: number;
  }[];
}

test('status shows loads that wait and are at work, and what the daemon has verified by itself', { timeout: 180_000 }, async () => {
  await using lake = await deploy(sharedPostgres(), { kind: 'DuckDB file' });
  await lake.sql.unsafe(
    "CREATE TABLE item (id int PRIMARY KEY, v text); INSERT INTO item SELECT g, 'v' || g FROM generate_series(1, 5000) g",
  );
  await lake.configure({ more: 'load: { rows_per_second: 100 }' });
  await lake.ok('install');
  await lake.ok('track', 'public.*');
  const status = async () => JSON.parse((await lake.run('status', '--json')).stdout) as Status;
  expect((await status()).loads).toEqual([
    { schema: 'public', name: 'item', mode: 'fill', rows: null, expected: null, percent: null, rowsPerSecond: null, secondsLeft: null },
  ]);
  expect((await lake.run('status')).stdout).toMatch(/public\.item +first load +waits/);
  const slow = lake.start(['run']);
  let seen: Status['loads'][number] | undefined;
  await until('rows are read', async () => {
    [seen] = (await status()).loads;
    return (seen?.rows ?? 0) > 0;
  });
  expect(seen).toMatchObject({
    mode: 'fill',
    expected: expect.any(Number),
    percent: expect.any(Number),
    rowsPerSecond: expect.any(Number),
  });
  // Never analysed: the rows so far tell.
  expect(seen?.expected).toBeGreaterThan(4000);
  expect(seen?.secondsLeft).toBeGreaterThan(0);
  // Whoever waits for it can leave: the daemon goes on.
  const waiting = lake.start(['snapshot', '--json']);
  await until('it was asked for', async () => (await lake.sql`SELECT FROM audit.load WHERE mode = 'compare'`).length > 0);
  waiting.process.kill('SIGINT');
  const left = await waiting.ended;
  expect(JSON.parse(left.log).error).toMatchObject({
    code: 'interrupted',
    message: expect.stringContaining('the daemon goes on, public.item is not done'),
  });
  // Whoever waits on is told when the daemon has gone for good.
  const forsaken = lake.start(['snapshot', '--json']);
  await until(
    'it waits',
    async () => (await lake.sql`SELECT FROM pg_stat_activity WHERE application_name = 'sluice cli' AND query LIKE '-- Loads%'`).length > 0,
  );
  slow.process.kill('SIGTERM');
  await slow.ended;
  expect(JSON.parse((await forsaken.ended).log).error).toMatchObject({
    code: 'daemon_stopped',
    remedy: expect.stringContaining('run --once'),
  });

  await lake.configure({ more: 'verify: { interval: 1s }' });
  expect((await lake.run('run', '--once', '--log-level', 'silent')).stdout).toMatch(
    /public\.item: 5,000 rows loaded\.\npublic\.item: 5,000 rows compared, 0 differences mended\./,
  );
  await damage(lake, ...DAMAGE);
  const daemon = lake.start(['run']);
  await until('it was verified', async () => (await status()).tables[0]?.verified?.differences === 3);
  daemon.process.kill('SIGTERM');
  await daemon.ended;
  const found = await lake.run('status');
  expect(found.code).toBe(1);
  expect(found.stdout).toMatch(/3 differences, 20/);
  await lake.configure();
  await lake.ok('run', '--once', '--log-level', 'silent');
  await lake.ok('verify', '--repair');
  expect((await lake.ok<Status>('status')).tables[0]?.verified).toMatchObject({ differences: 3, repaired: true });
  await lake.ok('verify');
  expect((await lake.run('status')).stdout).toMatch(/captured +equal, 20/);
});
