import { pino } from 'pino';
import { drainOnce } from '../src/daemon/index.ts';
import { timed, trackTable, withLab } from './lab.ts';
import { profiled } from './profile.ts';
import { fillWide, makeWide } from './wide.ts';

const rows = 2_000_000;
await withLab(async (lab) => {
  const { sql } = lab;
  await makeWide(sql);
  await fillWide(sql, { from: 1, rows });
  await sql`VACUUM ANALYZE wide`;
  await trackTable(sql, 'wide');
  await lab.composition.ports.source.lead();
  const log = pino({ level: 'silent' });
  await drainOnce({ ports: lab.composition.ports, log });
  for (const mode of ['reset', 'verify']) {
    await sql`SELECT audit.request_load(table_id, ${mode}) FROM audit.tracked_table`;
    const cpu0 = process.cpuUsage();
    let st: any[] = [];
    const ms = await timed(async () => {
      st = await profiled(() => drainOnce({ ports: lab.composition.ports, log }));
    });
    const cpu = process.cpuUsage(cpu0);
    console.log(mode, Math.round(ms), 'cpu', Math.round((cpu.user + cpu.system) / 1000));
    const sum = new Map<string, { n: number; ms: number }>();
    for (const s of st) {
      const k = s.sql
        .replace(/load_\d+_\d+/g, 'load_N')
        .replace(/source_rows_\d+/g, 'SRC')
        .slice(0, 90);
      const e = sum.get(k) ?? { n: 0, ms: 0 };
      e.n++;
      e.ms += s.ms;
      sum.set(k, e);
    }
    for (const [k, v] of [...sum].sort((a, b) => b[1].ms - a[1].ms).slice(0, 14)) console.log(v.n, Math.round(v.ms), k);
  }
  // the server alone
  const [{ pages }] = (await sql`SELECT (pg_relation_size('wide') / 8192)::int AS pages`) as any;
  const ways = JSON.stringify({
    1: 'native',
    2: 'native',
    3: 'native',
    4: 'guarded',
    5: 'native',
    6: 'native',
    7: 'guarded',
    8: 'native',
    9: 'native',
    10: 'guarded',
  });
  const def =
    'c0 bigint, c1 int, c2 int, c3 numeric(12,2), c4 text, c5 text, c6 text, c7 timestamptz, c8 text, c9 boolean, c10 double precision, c11 date, c12 text';
  const def2 = 'c0 bigint, c1 int, c2 int, c3 numeric(12,2), c4 text, c5 text, c6 timestamptz, c7 boolean, c8 double precision, c9 date';
  const server = async (q: string) => timed(() => sql.unsafe(`COPY (${q}) TO '/dev/null' (FORMAT binary)`));
  const [{ oid }] = (await sql`SELECT 'wide'::regclass::oid::int AS oid`) as any;
  const [{ tid }] = (await sql`SELECT table_id AS tid FROM audit.tracked_table`) as any;
  for (let i = 0; i < 2; i++) {
    console.log('plain', await server('SELECT * FROM wide'));
    for (const n of [1, 8])
      console.log(
        'read_rows native',
        n,
        await timed(async () => {
          for (let k = 0; k < n; k++)
            await server(
              `SELECT * FROM audit.read_rows(${tid}, ${oid}, '${ways.replaceAll('guarded', 'native')}', ${Math.floor((k * pages) / n)}, ${Math.ceil(pages / n)}, NULL, false) AS r (${def2})`,
            );
        }),
      );
    console.log(
      'read_rows guarded 8',
      await timed(async () => {
        for (let k = 0; k < 8; k++)
          await server(
            `SELECT * FROM audit.read_rows(${tid}, ${oid}, '${ways}', ${Math.floor((k * pages) / 8)}, ${Math.ceil(pages / 8)}, NULL, false) AS r (${def})`,
          );
      }),
    );
  }
});
