/**
 * `npm run demo`: a small shop on a real PostgreSQL, its changes flowing into a real DuckLake, the daemon killed on purpose, and a proof
 * that nothing was lost. Everything runs on this machine; the lake stays in ./sluice-demo for you to query.
 */
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { resolve } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import postgres from 'postgres';
import { startPostgres } from '../../test/support/postgres.ts';
import { Shop, stock } from './shop.ts';
import { Daemon, sluice } from './sluice.ts';

const FOLDER = resolve('sluice-demo');
const began = Date.now();
const say = (text = '') => console.log(text);
const step = (text: string) => say(`\n\x1b[1m${text}\x1b[0m`);

await rm(FOLDER, { recursive: true, force: true });
await mkdir(FOLDER);

step('1. A PostgreSQL with a small shop');
await using server = await startPostgres(18);
const sql = postgres(server.url, { onnotice: () => {}, max: 5 });
await sql.unsafe(await readFile(new URL('schema.sql', import.meta.url), 'utf8'));
await writeFile(
  `${FOLDER}/sluice.yaml`,
  `source: { url: "${server.url}" }\ntables: ["public.*"]\nlake: { type: ducklake, catalog: "sqlite:./lake/catalog.sqlite", data: ./lake/data }\nbatch: { interval: 250ms }\n`,
);
say(`   ${server.url.replace(/:[^:@/]+@/, ':***@')}, tables customer, product, orders, order_line`);

step('2. sluice extensions --install, install, track');
await sluice(FOLDER, 'extensions', '--install');
await sluice(FOLDER, 'install');
say(indent(await sluice(FOLDER, 'track')));

step('3. sluice run, while the shop is open');
await stock(sql);
const daemon = new Daemon(FOLDER);
daemon.start();
const shop = new Shop(sql);
say('    time   committed   rolled back   waiting in the buffer   changes in the lake   batches');
await watch(5, () => daemon.batches >= 8);

step(`   kill -9 of the daemon, in the middle of it all`);
await daemon.end('SIGKILL');
await watch(3);
step('   … and a new one is started');
const before = daemon.batches;
daemon.start();
await watch(5, () => daemon.batches >= before + 4);

step('4. The shop closes; is anything lost?');
await shop.close();
while (await waiting()) await sleep(100);
await sleep(300);
await daemon.end('SIGTERM');
const proven = await prove();
say(`\n   ${shop.committed} transactions committed, ${shop.rolledBack} rolled back; the slowest took ${shop.slowestMs.toFixed(0)} ms.`);
say(
  daemon.recovered > 0
    ? `   ${daemon.recovered} batch that the killed daemon had left open was finished by the next.`
    : '   The killed daemon had left no batch open this time.',
);

step('5. Queries to try');
const queries = [
  'SELECT table_name, cdc_op, count(*) AS changes, max(cdc_ts) AS latest FROM cdc GROUP BY ALL ORDER BY ALL',
  "SELECT cdc_ts, cdc_op, (data ->> 'status') AS status FROM cdc WHERE table_name = 'orders' AND (data ->> 'id') = '7' ORDER BY batch_id, cdc_seq",
  'SELECT kind, count(*) AS batches, sum("rows") AS changes, round(max(epoch(dl_ts) - epoch(cut_ts)), 2) AS slowest_seconds FROM sluice.batch GROUP BY ALL',
];
for (const query of queries) {
  say(`\n   npm run -s sluice -- query --config sluice-demo/sluice.yaml "${query.replaceAll('"', '\\"')}"`);
  say(indent(await sluice(FOLDER, 'query', query)));
}
await sql.end();
say(`\nDone in ${Math.round((Date.now() - began) / 1000)} s. The lake stays in ./sluice-demo.`);
process.exitCode = proven ? 0 : 1;

async function waiting(): Promise<number> {
  const [row] = await sql`SELECT (SELECT count(*) FROM audit.cdc)::int + (SELECT count(*) FROM audit.cdc_old)::int AS n`;
  return row?.n as number;
}

/** Show the counts each second, for so many seconds and until `enough` (a slow machine takes longer to get there). */
async function watch(seconds: number, enough = () => true): Promise<void> {
  for (let second = 0; second < seconds || (!enough() && second < 60); second++) {
    await sleep(1000);
    const cells = [
      `${Math.round((Date.now() - began) / 1000)} s`.padStart(8),
      pad(shop.committed, 11),
      pad(shop.rolledBack, 13),
      pad(await waiting(), 23),
      pad(daemon.changes, 21),
      pad(daemon.batches, 9),
    ];
    say(cells.join(' '));
  }
}

/** Replay the log in the lake and compare it with the tables, row by row. */
async function prove(): Promise<boolean> {
  const keys: Record<string, string> = {
    customer: "data ->> 'id'",
    product: "data ->> 'id'",
    orders: "data ->> 'id'",
    order_line: "concat_ws(' ', data ->> 'order_id', data ->> 'product_id')",
  };
  let good = true;
  for (const [table, key] of Object.entries(keys)) {
    const replayed = JSON.parse(
      await sluice(
        FOLDER,
        'query',
        '--json',
        `SELECT data::VARCHAR AS data FROM (SELECT data, cdc_op FROM cdc WHERE table_name = '${table}'
           QUALIFY row_number() OVER (PARTITION BY ${key} ORDER BY batch_id DESC, cdc_seq DESC) = 1) WHERE cdc_op <> 'D'`,
      ),
    ) as { data: string }[];
    const source = await sql.begin(async (tx) => {
      await tx`SET LOCAL "TimeZone" = 'UTC'`;
      return tx.unsafe<{ data: string }[]>(`SELECT row_to_json(t.*)::text AS data FROM ${table} t`);
    });
    const left = replayed.map((row) => row.data).sort();
    const right = source.map((row) => row.data).sort();
    const equal = left.length === right.length && left.every((text, at) => text === right[at]);
    good &&= equal;
    say(
      `   ${equal ? '✓' : '✗'} ${table.padEnd(11)} ${pad(right.length, 6)} rows in PostgreSQL, ${pad(left.length, 6)} by replaying the log: ${equal ? 'equal' : 'DIFFERENT'}`,
    );
  }
  const [count] = JSON.parse(await sluice(FOLDER, 'query', '--json', 'SELECT count(*) AS n, count(DISTINCT cdc_seq) AS d FROM cdc')) as {
    n: number;
    d: number;
  }[];
  good &&= count?.n === count?.d;
  say(`   ${count?.n === count?.d ? '✓' : '✗'} ${count?.n} changes in the log, each once`);
  return good;
}

function pad(value: number, width: number): string {
  return value.toLocaleString('en').padStart(width);
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '   ');
}
