import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { loadConfig } from '../../src/config/index.ts';
import { untrack } from '../../src/source/index.ts';
import { freshDatabase } from '../../test/support/postgres.ts';
import { type Lab, median, trackTable, withLab } from '../lab.ts';
import type { Chart, Figure, Scale, Section } from '../result.ts';
import { fillWide, makeWide } from '../wide.ts';
import { assertCopied } from './check.ts';
import { run, type Spent } from './process.ts';
import { ctas, drainOnce, driverManifest, ingestrChanges, type Side, sidesOf } from './sides.ts';
import { findPeer, type Missing, PEERS, type Venv } from './venv.ts';

const OURS = 'sluice: state and typed log';
const OURS_CHANGES = 'sluice: log, typed log and state';
const TRANSACTIONS = 100;

type Spending = Record<string, Spent[]>;

/**
 * What others take for the same work: a copy of a table of ten columns, and the changes that wait. Every side is a process of its own that is measured from
 * its start to its end, in turns, and what it has copied is compared with the source. Peers that are not installed are fetched for a full run and left out
 * of a quick one.
 */
export function peers(scale: Scale): Promise<Section> {
  const { rows, changes, rounds } =
    scale === 'quick' ? { rows: 20_000, changes: 10_000, rounds: 1 } : { rows: 1_000_000, changes: 1_000_000, rounds: 3 };
  return withLab(
    async (lab) => {
      const found = await findPeers(lab, scale);
      const here = found.filter((peer) => 'bin' in peer);
      await makeWide(lab.sql);
      await fillWide(lab.sql, { rows });
      await lab.sql`VACUUM ANALYZE wide`;
      const copies = await copyAll(lab, here, rounds);
      const ingestr = here.find(({ name }) => name === 'ingestr');
      const drains = ingestr && (await drainBoth(lab, ingestr, { changes, rounds }));
      return section({ rows, changes, copies, drains, found });
    },
    { wal_level: 'logical' },
  );
}

/** In the product's own cache, where extensions are as well. */
function findPeers({ folder }: Lab, scale: Scale): Promise<(Venv | Missing)[]> {
  const { cacheDirectory } = loadConfig({ file: join(folder, 'sluice.yaml'), env: process.env, cwd: folder, flags: {} });
  const options = { folder: join(cacheDirectory, 'bench-peers'), install: scale === 'full' };
  return Promise.all(PEERS.map((name) => findPeer(name, options)));
}

async function copyAll(lab: Lab, here: readonly Venv[], rounds: number): Promise<Spending> {
  const others = [ctas(lab.folder), ...here.flatMap(sidesOf)];
  const turns = [{ name: OURS, take: () => copyByUs(lab) }, ...others.map((side) => ({ name: side.name, take: () => copyBy(lab, side) }))];
  const spending: Spending = Object.fromEntries(turns.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    for (const { name, take } of turns) spending[name]?.push(await take());
  }
  return spending;
}

async function copyBy(lab: Lab, { copy }: Side): Promise<Spent> {
  const catalog = await freshDatabase(lab.server);
  const folder = await emptyFolder(lab);
  try {
    const { command, ...copied } = copy({ url: lab.url, catalog: catalog.url, folder });
    const spent = await run(command);
    await assertCopied(lab, copied);
    return spent;
  } finally {
    await catalog.drop();
    await rm(folder, { recursive: true });
  }
}

/** The first load of a table that is tracked anew: the lake holds nothing of it but its history. */
async function copyByUs(lab: Lab): Promise<Spent> {
  await untrack(lab.sql, [{ schema: 'public', name: 'wide' }]);
  await run(drainOnce(lab.folder));
  await trackTable(lab.sql, 'wide');
  return drainByUs(lab);
}

async function drainByUs(lab: Lab): Promise<Spent> {
  const spent = await run(drainOnce(lab.folder));
  await assertCopied(lab, { lake: lakeOf(lab), table: 'public.wide' });
  return spent;
}

/** The same changes wait for both: in our buffer, and in the log of the server for a replication slot. */
async function drainBoth(lab: Lab, ingestr: Venv, { changes = 0, rounds = 1 }): Promise<Spending> {
  const folder = await emptyFolder(lab);
  await lab.sql`CREATE PUBLICATION peers FOR TABLE public.wide`;
  const { command, ...copied } = ingestrChanges(ingestr, { url: lab.url, folder }, { publication: 'peers' });
  // Makes the slot, and the copy to which changes are applied.
  await run(command);
  const drainByIngestr = async () => {
    const spent = await run(command);
    await assertCopied(lab, copied, 'NOT _cdc_deleted');
    return spent;
  };
  const turns = [
    { name: OURS_CHANGES, take: () => drainByUs(lab) },
    { name: `ingestr ${ingestr.version}: state, DuckDB file`, take: drainByIngestr },
  ];
  const spending: Spending = Object.fromEntries(turns.map(({ name }) => [name, []]));
  for (let round = 0; round < rounds; round++) {
    await change(lab, { changes, round });
    for (const { name, take } of turns) spending[name]?.push(await take());
  }
  return spending;
}

/** In transactions of equal size, each of which inserts 4, updates 4 and deletes 2 of 10 rows; those it touches are of rounds before. */
async function change({ sql }: Lab, { changes = 0, round = 0 }): Promise<void> {
  const tenth = changes / TRANSACTIONS / 10;
  const [top] = await sql<{ id: string }[]>`SELECT max(id) AS id FROM wide`;
  const session = await sql.reserve();
  try {
    for (let n = 0; n < TRANSACTIONS; n++) {
      const old = 1 + (round * TRANSACTIONS + n) * 6 * tenth;
      await session`BEGIN`;
      await fillWide(session, { from: Number(top?.id) + 1 + n * 4 * tenth, rows: 4 * tenth });
      const updated = await session`UPDATE wide SET a = a + 1, e = md5(e) || d WHERE id >= ${old} AND id < ${old + 4 * tenth}`;
      const deleted = await session`DELETE FROM wide WHERE id >= ${old + 4 * tenth} AND id < ${old + 6 * tenth}`;
      await session`COMMIT`;
      if (updated.count + deleted.count !== 6 * tenth) throw new Error(`transaction ${n} of round ${round} met too few rows`);
    }
  } finally {
    session.release();
  }
}

function lakeOf({ folder }: Lab) {
  return loadConfig({ file: join(folder, 'sluice.yaml'), env: process.env, cwd: folder, flags: {} }).lake;
}

/** With the manifest in it by which ingestr finds DuckDB. */
async function emptyFolder({ folder }: Lab): Promise<string> {
  const empty = join(folder, 'peer');
  await mkdir(empty);
  await writeFile(join(empty, 'duckdb.toml'), driverManifest());
  return empty;
}

interface Results {
  readonly rows: number;
  readonly changes: number;
  readonly copies: Spending;
  readonly drains: Spending | undefined;
  readonly found: readonly (Venv | Missing)[];
}

function section({ rows, changes, copies, drains, found }: Results): Section {
  const seconds = (spending: Spending) => map(spending, (spent) => spent.seconds);
  const perSecond = (spending: Spending, count: number) => map(spending, (spent) => Math.round(count / spent.seconds));
  const rss = (spending: Spending) => map(spending, ({ peakMb }) => peakMb);
  const copyRate: Figure = { name: 'Copy of a table: speed', unit: 'rows/s', sides: perSecond(copies, rows), base: 'DuckDB CTAS' };
  const copyRss: Figure = { name: 'Copy of a table: highest RSS', unit: 'MB', sides: rss(copies) };
  const figures: Figure[] = [{ name: 'Copy of a table: time', unit: 's', sides: seconds(copies), base: 'DuckDB CTAS' }, copyRate, copyRss];
  const charts = [
    bars('peers-copy', 'Copy of a table into a lake, rows/s', copyRate),
    bars('peers-copy-rss', 'Copy of a table, highest RSS, MB', copyRss),
  ];
  if (drains) {
    const rate: Figure = { name: 'Waiting changes: speed', unit: 'changes/s', sides: perSecond(drains, changes), base: OURS_CHANGES };
    const memory: Figure = { name: 'Waiting changes: highest RSS', unit: 'MB', sides: rss(drains) };
    figures.push({ name: 'Waiting changes: time', unit: 's', sides: seconds(drains), base: OURS_CHANGES }, rate, memory);
    charts.push(
      bars('peers-changes', 'Waiting changes into a lake, changes/s', rate),
      bars('peers-changes-rss', 'Waiting changes, highest RSS, MB', memory),
    );
  }
  return {
    name: 'peers',
    title: 'Beside dlt, sling and ingestr',
    about: `A table of ${rows.toLocaleString('en-US')} rows and ten columns from PostgreSQL into an empty DuckLake with its catalog in PostgreSQL and local Parquet files (where a side says so: a DuckDB file).
Then ${changes.toLocaleString('en-US')} changes in ${TRANSACTIONS} transactions (4 of 10 inserts, 4 updates, 2 deletes) that wait in a buffer or behind a replication slot. Every side is a
process measured from its start to its end, with all it starts, and its copy is compared with the source. Versions and settings: \`bench/peers/README.md\`.`,
    figures,
    charts,
    goals: [],
    notes: found.flatMap((peer) => ('missing' in peer ? [`${peer.name} ${peer.version} is not here: ${peer.missing}`] : [])),
  };
}

function map(spending: Spending, value: (spent: Spent) => number): Record<string, number[]> {
  return Object.fromEntries(Object.entries(spending).map(([name, all]) => [name, all.map(value)]));
}

function bars(name: string, title: string, { name: figure, unit, sides }: Figure): Chart {
  const points = Object.entries(sides).map(([side, values]) => [side, median(values)] as const);
  return { name, title, kind: 'bar', x: { label: '' }, y: { label: unit }, series: [{ name: figure, points }] };
}
