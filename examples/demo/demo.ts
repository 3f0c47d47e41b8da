/**
 * `npm run demo`: a small shop on a real PostgreSQL, mirrored into a real DuckLake, the daemon killed on purpose, and a proof that the lake's
 * tables are the shop's. Everything runs on this machine; the lake stays in ./sluice-demo for you to query.
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
await Promise.all([sluice(FOLDER, 'extensions', '--install'), sluice(FOLDER, 'install')]);
say(indent(await sluice(FOLDER, 'track')));

step('3. sluice run, while the shop is open');
await stock(sql);
const daemon = new Daemon(FOLDER);
daemon.start();
// Until its first load is done the lake does not show a table.
while ((await loading()) > 0) await sleep(100);
const shop = new Shop(sql);
say('    time   committed   rolled back   waiting in the buffer   changes in the lake   batches');
await watch(4, () => daemon.batches >= 3);

step(`   kill -9 of the daemon, in the middle of it all`);
const killedAt = new Date().toISOString();
await daemon.end('SIGKILL');
await watch(2);
step('   … and a new one is started');
const before = daemon.batches;
daemon.start();
await watch(4, () => daemon.batches >= before + 2);

step('4. The shop closes; is anything lost?');
await shop.close();
while ((await waiting()) > 0) await sleep(100);
await sleep(300);
say(indent(await sluice(FOLDER, 'status')));
await daemon.end('SIGTERM');
say();
const { proven, story } = await prove();
say(`\n   ${shop.committed} transactions committed, ${shop.rolledBack} rolled back; the slowest took ${shop.slowestMs.toFixed(0)} ms.`);
say(
  daemon.recovered > 0
    ? `   ${daemon.recovered} batch that the killed daemon had left open was finished by the next.`
    : '   The killed daemon had left no batch open this time.',
);

step('5. Queries to try');
const byStatus = 'SELECT status, count(*) AS orders FROM public.orders GROUP BY ALL ORDER BY ALL';
const queries: [what: string, sql: string, ...options: string[]][] = [
  ['the shop as it is now', byStatus],
  ['as it was when the daemon was killed', byStatus, '--at', killedAt],
  [
    'how one order came to be',
    `SELECT status, valid_from, valid_to, is_current FROM public_history.orders WHERE id = ${story} ORDER BY valid_from`,
  ],
  ['every change of it', `SELECT _op, _ts, _batch, status FROM public_changes.orders WHERE id = ${story} ORDER BY _batch, _seq`],
];
const answers = queries.map(([, query, ...options]) => sluice(FOLDER, 'query', ...options, query));
for (const [index, [what, query, ...options]] of queries.entries()) {
  const shown = options.map((option) => (option.startsWith('--') ? option : `'${option}'`));
  say(`\n   ${what}:\n   npm run -s sluice -- query --config sluice-demo/sluice.yaml ${[...shown, `"${query}"`].join(' ')}`);
  say(indent((await answers[index]) ?? ''));
}
await sql.end();
say(`\nDone in ${Math.round((Date.now() - began) / 1000)} s. The lake stays in ./sluice-demo.`);
process.exitCode = proven ? 0 : 1;

async function waiting(): Promise<number> {
  const [row] = await sql`SELECT (SELECT count(*) FROM audit.cdc)::int + (SELECT count(*) FROM audit.cdc_old)::int AS n`;
  return row?.n as number;
}

/** Tables whose first load is not done. */
async function loading(): Promise<number> {
  const [row] = await sql`
    SELECT count(*)::int AS n FROM audit.tracked_table t
    WHERE NOT EXISTS (SELECT FROM audit.load l WHERE l.table_id = t.table_id AND l.done_at IS NOT NULL)`;
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

/** Compare the lake's tables with those of the source, row by row, as text. `story`: an order of which the history has much to tell. */
async function prove(): Promise<{ proven: boolean; story: string }> {
  const columns = await sql<{ table: string; texts: string }[]>`
    SELECT c.relname AS table, string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum) AS texts
    FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind = 'r' AND a.attnum > 0 AND NOT a.attisdropped GROUP BY 1 ORDER BY 1`;
  // No value of the shop is NULL, which concat_ws would leave out.
  const rowsOf = ({ table, texts }: { table: string; texts: string }) =>
    `SELECT '${table}' AS "table", concat_ws(' | ', ${texts}) AS "row" FROM public.${table}`;
  const all = columns.map(rowsOf).join(' UNION ALL ');
  const extras = [
    'SELECT NULL, count(*)::VARCHAR FROM cdc UNION ALL SELECT NULL, count(DISTINCT cdc_seq)::VARCHAR FROM cdc',
    'SELECT NULL, max_by(id, versions)::VARCHAR FROM (SELECT id, count(*) AS versions FROM public_history.orders GROUP BY id)',
  ];
  const lake = JSON.parse(await sluice(FOLDER, 'query', '--json', [all, ...extras].join(' UNION ALL '))) as Text[];
  const source = await sql.begin(async (tx) => {
    await tx`SET LOCAL "TimeZone" = 'UTC'`;
    return tx.unsafe<Text[]>(all);
  });
  let proven = true;
  for (const { table } of columns) {
    const [left, right] = [lake, source].map((rows) =>
      rows
        .filter((one) => one.table === table)
        .map(({ row }) => row)
        .sort(),
    ) as [string[], string[]];
    const equal = left.length === right.length && left.every((text, at) => text === right[at]);
    proven &&= equal;
    const counts = `${pad(right.length, 6)} rows in PostgreSQL, ${pad(left.length, 6)} in the lake`;
    say(`   ${equal ? '✓' : '✗'} ${table.padEnd(11)} ${counts}, row by row: ${equal ? 'equal' : 'DIFFERENT'}`);
  }
  const [changes, sequences, story] = lake.filter(({ table }) => table === null).map(({ row }) => row);
  proven &&= changes === sequences;
  say(`   ${changes === sequences ? '✓' : '✗'} ${Number(changes).toLocaleString('en')} changes in the log, each once`);
  return { proven, story: story ?? '1' };
}

interface Text {
  readonly table: string | null;
  readonly row: string;
}

function pad(value: number, width: number): string {
  return value.toLocaleString('en').padStart(width);
}

function indent(text: string): string {
  return text.trimEnd().replaceAll(/^/gm, '   ');
}
