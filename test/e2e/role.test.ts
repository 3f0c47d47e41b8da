import { randomBytes } from 'node:crypto';
import postgres from 'postgres';
import { expect, test } from 'vitest';
import { batchesOf, deploy } from '../support/deployment.ts';
import { sharedPostgres } from '../support/shared.ts';
import { until } from '../support/until.ts';

/** Two roles that a careful administrator makes: one that writes and knows nothing of sluice, one that drains and can read no table. */
test('an application role without any right on audit writes; a role with audit.grant_daemon() alone drains', async () => {
  const server = sharedPostgres();
  const suffix = randomBytes(4).toString('hex');
  const [app, daemon] = [`app_${suffix}`, `daemon_${suffix}`];
  const admin = postgres(server.url, { max: 1, onnotice: () => {} });
  try {
    for (const role of [app, daemon]) await admin.unsafe(`CREATE ROLE ${role} LOGIN PASSWORD 'plain-secret'`);
    await using lake = await deploy(server, { kind: 'DuckLake on PostgreSQL' });
    const { sql } = lake;
    const as = (role: string, url: string) => Object.assign(new URL(url), { username: role, password: 'plain-secret' }).href;
    await sql.unsafe(`
      CREATE TABLE orders (id int GENERATED ALWAYS AS IDENTITY PRIMARY KEY, state text);
      CREATE TABLE part (id int PRIMARY KEY, v text) PARTITION BY RANGE (id); CREATE TABLE part_1 PARTITION OF part DEFAULT;
      CREATE TABLE old (id int PRIMARY KEY, v text); INSERT INTO old SELECT g, 'before' FROM generate_series(1, 100) g;
      ALTER TABLE old ENABLE ROW LEVEL SECURITY; ALTER TABLE old FORCE ROW LEVEL SECURITY;
      GRANT SELECT, INSERT, UPDATE, DELETE, TRUNCATE ON orders, part, part_1 TO ${app}`);
    await lake.ok('install');
    await lake.ok('track', 'public.*');
    await sql.unsafe(`SELECT audit.grant_daemon('${daemon}')`);
    // An upgrade makes views anew: the role keeps its rights.
    await lake.ok('install');
    const catalog = new URL(lake.catalogUrl ?? '');
    await admin.unsafe(`ALTER DATABASE ${catalog.pathname.slice(1)} OWNER TO ${daemon}`);
    await lake.configure({
      url: as(daemon, lake.url),
      lake: `{ type: ducklake, catalog: "${as(daemon, catalog.href)}", data: ./lake }`,
    });

    const [rights] = await sql`
      SELECT has_schema_privilege(${app}, 'audit', 'USAGE, CREATE') AS schema,
        EXISTS (SELECT FROM pg_class c WHERE c.relnamespace = 'audit'::regnamespace AND c.relkind IN ('r', 'v')
          AND has_table_privilege(${app}, c.oid, 'SELECT, INSERT, UPDATE, DELETE, TRUNCATE')) AS tables,
        EXISTS (SELECT FROM pg_proc p WHERE p.pronamespace = 'audit'::regnamespace AND has_function_privilege(${app}, p.oid, 'EXECUTE')) AS functions,
        has_table_privilege(${daemon}, 'orders', 'SELECT') OR (SELECT rolsuper FROM pg_roles WHERE rolname = ${daemon}) AS daemon`;
    expect(rights).toEqual({ schema: false, tables: false, functions: false, daemon: false });

    const writer = postgres(as(app, lake.url), { max: 1, onnotice: () => {} });
    await expect(writer`SELECT FROM audit.cdc`).rejects.toThrow(/permission denied for schema audit/);
    const write = async () => {
      await writer`INSERT INTO orders (state) SELECT 'new' FROM generate_series(1, 10)`;
      await writer`UPDATE orders SET state = 'paid' WHERE id % 2 = 0`;
      await writer`DELETE FROM orders WHERE id % 5 = 0`;
      await writer`INSERT INTO part VALUES (1, 'a') ON CONFLICT (id) DO UPDATE SET v = part.v || 'b'`;
      await writer`INSERT INTO part_1 VALUES (2, 'a') ON CONFLICT (id) DO UPDATE SET v = part_1.v || 'b'`;
    };
    await write();
    const child = lake.start(['run']);
    try {
      // Each batch is a swap, which exchanges the buffers: the application's rights must hold for either.
      for (let batches = 1; batches <= 3; batches++) {
        await until(`batch ${batches}`, () => {
          expect(child.process.exitCode, child.log()).toBeNull();
          return batchesOf(child) >= batches;
        });
        await write();
      }
      await writer`TRUNCATE part`;
      await writer.end();
      const status = await lake.ok<{ running: boolean; tables: { problem: string | null }[] }>('status');
      expect(status.running).toBe(true);
      expect(status.tables.map(({ problem }) => problem)).toEqual([null, null, null]);
      const doctor = await lake.ok<{ ok: boolean; findings: { level: string; check: string; message: string }[] }>('doctor');
      expect(doctor.findings.filter(({ level }) => level !== 'ok')).toEqual([]);
      expect(doctor.findings).toContainEqual(expect.objectContaining({ check: 'privileges', message: `${daemon} may drain` }));
    } finally {
      child.process.kill('SIGTERM');
    }
    const { code, log } = await child.ended;
    expect(code, log).toBe(0);
    expect(log).not.toContain('plain-secret');
    await lake.ok('run', '--once');
    // Rows from before are loaded, without a right on the table and past its row level security.
    expect(await lake.ok('query', 'SELECT count(*) AS n FROM public.old')).toEqual([{ n: 100 }]);
    await sql`TRUNCATE old`;
    await lake.ok('run', '--once');
    expect((await lake.verify()).length).toBeGreaterThan(60);
  } finally {
    for (const role of [app, daemon]) await admin.unsafe(`DROP ROLE IF EXISTS ${role}`);
    await admin.end();
  }
});
