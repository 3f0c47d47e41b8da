import { formatDuration } from '../../config/index.ts';
import type { Fault } from '../../model/fault.ts';
import type { LoadMode } from '../../model/load.ts';
import type { LoadStatus, SourceStatus, Verification } from '../../source/index.ts';
import type { Context, Register } from '../context.ts';
import type { LakeStatus, TableWatermark } from '../lake-status.ts';
import { formatBytes, formatCount, paint, plural, renderTable } from '../output.ts';
import { formatPace } from '../progress.ts';
import { showTypes } from '../show-types.ts';
import { readIdentity, withSource } from '../source.ts';
import { tableLabel } from '../tables.ts';

/** What `status --json` prints. */
interface Status {
  /** Seconds since the oldest change that has not reached the lake was made; 0: none waits. */
  readonly lag: number;
  readonly waitingSince: string | null;
  readonly bufferBytes: number;
  /** Whether a daemon leads. */
  readonly running: boolean;
  /** A crash has emptied the buffer; the daemon will name the gap. */
  readonly bufferLost: boolean;
  /** As the source has them; `lake`: how far the lake is with them, null: it does not have the table, or can't be read; `verified`: the last verification. */
  readonly tables: readonly (SourceStatus['tables'][number] & {
    readonly lake: TableWatermark | null;
    readonly verified: Verified | null;
  })[];
  /** Loads that are not done, those at work first. */
  readonly loads: readonly OpenLoad[];
  /** Spans whose changes were lost at the source, repaired (`closed_ts`) or not, with what their repair found; null: the lake can't be read. */
  readonly gaps: LakeStatus['gaps'] | null;
  /** Values that are NULL in the lake's typed tables, counted by table and column; null as above. */
  readonly losses: LakeStatus['losses'] | null;
  /** The last changes of tables that the lake has followed; null as above. */
  readonly schemaChanges: LakeStatus['schemaChanges'] | null;
  readonly batches: {
    readonly done: number;
    readonly open: SourceStatus['openBatch'];
    readonly last: SourceStatus['lastBatch'];
  };
  readonly lake: Pick<LakeStatus, 'batches' | 'rows' | 'lastCut' | 'retainedSince'> | { readonly error: Omit<Fault, 'retry'> };
}

type Verified = Omit<Verification, 'tableId'> & { readonly differences: number };

interface OpenLoad {
  readonly schema: string;
  readonly name: string;
  readonly mode: LoadMode;
  /** Null, as the others: it waits. */
  readonly rows: number | null;
  /** As the source estimates them; null also where it has no idea. */
  readonly expected: number | null;
  readonly percent: number | null;
  readonly rowsPerSecond: number | null;
  readonly secondsLeft: number | null;
}

export const register: Register = (program, bind) => {
  program
    .command('status')
    .description(
      'show lag, tracked tables, batches, gaps and losses; exit 1 if the lake is missing or of another source, or a table is not captured',
    )
    .option('--types [table...]', 'show instead how the lake holds each column, and what of it is lost (default: all tracked tables)')
    .action(
      bind(async (context, { types }: { types?: true | string[] }) => {
        const config = context.config();
        if (types !== undefined) return showTypes(context, config, types === true ? [] : types);
        const { readLakeStatus } = await import('../lake-status.ts');
        const source = await withSource(config, async (sql, { assertInstalled, readLoads, readStatus, readVerifications }) => {
          await assertInstalled(sql);
          return { ...(await readStatus(sql)), loads: (await readLoads(sql)).loads, verifications: await readVerifications(sql) };
        });
        const identity = await readIdentity(config);
        const lake = await readLakeStatus(config, { identity, done: source.batchesDone }, context.io);
        const status = combine(source, lake);
        const captured = status.tables.every(({ problem }) => problem === null || problem === 'dropped');
        const right = status.tables.every(({ verified }) => verified === null || verified.repaired || verified.differences === 0);
        if ('error' in status.lake || !captured || !right) context.exitCode = 1;
        await context.print(status, () => report(context, status));
      }),
    );
};

interface Source extends SourceStatus {
  readonly loads: readonly LoadStatus[];
  readonly verifications: readonly Verification[];
}

function combine(source: Source, lake: LakeStatus | Fault): Status {
  const { waitingSince } = source;
  const read = 'gaps' in lake ? lake : undefined;
  return {
    lag: waitingSince === null ? 0 : Math.max(0, (Date.now() - Date.parse(waitingSince)) / 1000),
    waitingSince,
    bufferBytes: source.bufferBytes,
    running: source.led,
    bufferLost: !source.sentinel,
    tables: source.tables.map((table) => ({
      ...table,
      lake: read?.tables.get(table.id) ?? null,
      verified: verifiedOf(source.verifications.find(({ tableId }) => tableId === table.id)),
    })),
    loads: openLoads(source, read),
    gaps: read?.gaps ?? null,
    losses: read?.losses ?? null,
    schemaChanges: read?.schemaChanges ?? null,
    batches: { done: source.batchesDone, open: source.openBatch, last: source.lastBatch },
    lake:
      'gaps' in lake
        ? { batches: lake.batches, rows: lake.rows, lastCut: lake.lastCut, retainedSince: lake.retainedSince }
        : { error: { code: lake.code, message: lake.message, remedy: lake.remedy } },
  };
}

function verifiedOf(verification: Verification | undefined): Verified | null {
  if (verification === undefined) return null;
  const { tableId: _, ...found } = verification;
  return { ...found, differences: found.missing + found.different + found.extra };
}

/** What the source knows of, then loads that only the lake knows so far, then tables that the lake has yet to see. */
function openLoads({ loads, tables }: Source, lake: LakeStatus | undefined): OpenLoad[] {
  const waiting = { rows: null, expected: null, percent: null, rowsPerSecond: null, secondsLeft: null };
  const known = new Set(loads.map(({ id }) => id));
  const inLake = (lake?.loads ?? []).filter(({ id }) => !known.has(id));
  const unseen = lake === undefined ? [] : tables.filter(({ id, problem }) => problem !== 'dropped' && !lake.tables.has(id));
  return [
    ...loads.map((load) => ({ schema: load.schema, name: load.name, mode: load.mode, ...(load.atWork ? paceOf(load) : waiting) })),
    ...inLake.map(({ schema, name, mode }) => ({ schema, name, mode, ...waiting })),
    ...unseen.map(({ schema, name }) => ({ schema, name, mode: 'fill' as const, ...waiting })),
  ];
}

function paceOf({ read, expected, seconds }: LoadStatus): Omit<OpenLoad, 'schema' | 'name' | 'mode'> {
  const rowsPerSecond = seconds === null || seconds <= 0 ? null : Math.round(read / seconds);
  return {
    rows: read,
    expected: expected > 0 ? expected : null,
    percent: expected > 0 ? Math.min(100, Math.round((100 * read) / expected)) : null,
    rowsPerSecond,
    secondsLeft: rowsPerSecond && expected > 0 ? Math.max(0, Math.round((expected - read) / rowsPerSecond)) : null,
  };
}

function report(context: Context, status: Status): string {
  const { stdout } = context.io;
  const { batches, lake, gaps, losses } = status;
  const lines: [string, string][] = [
    ['daemon', status.running ? 'running' : paint(stdout, 'yellow', 'not running')],
    [
      'lag',
      status.waitingSince === null
        ? 'none: nothing waits'
        : `${formatDuration(Math.round(status.lag) * 1000)}, since ${status.waitingSince}`,
    ],
    ['buffer', formatBytes(status.bufferBytes)],
    [
      'batches',
      `${plural(batches.done, 'batch', 'batches')} done${batches.open === null ? '' : `, batch ${batches.open.ordinal} is open`}`,
    ],
    [
      'lake',
      'error' in lake
        ? paint(stdout, 'red', lake.error.message)
        : `${plural(lake.batches, 'batch', 'batches')}, ${plural(lake.rows, 'change')}, up to ${lake.lastCut ?? 'nothing yet'}`,
    ],
  ];
  if ('error' in lake) lines.push(['', lake.error.remedy]);
  else if (lake.retainedSince !== null) lines.push(['kept', `changes since ${lake.retainedSince}`]);
  if (gaps !== null)
    lines.push([
      'gaps',
      gaps.length === 0
        ? 'none'
        : paint(
            stdout,
            gaps.some(isOpen) ? 'red' : 'yellow',
            `${gaps.filter(isOpen).length} open, ${gaps.filter((gap) => !isOpen(gap)).length} repaired`,
          ),
    ]);
  if (losses !== null) {
    const values = losses.reduce((sum, loss) => sum + loss.values, 0);
    lines.push(['losses', values === 0 ? 'none' : paint(stdout, 'yellow', `${plural(values, 'value')}: sluice query "FROM sluice.loss"`)]);
  }
  if (status.bufferLost) lines.push(['', paint(stdout, 'red', 'a crash has emptied the buffer: the daemon will name the gap')]);
  const head = lines.map(([name, text]) => `${name.padEnd(9)}${text}`);
  if (status.tables.length === 0) return [...head, '', 'No table is tracked. Next: sluice track'].join('\n');
  const verified = status.tables.some((table) => table.verified !== null);
  const rows = status.tables.map((table) => [
    labelOf(table),
    table.key?.join(', ') ?? 'none: log only',
    table.lake?.rows ?? '',
    table.lake?.lastChange ?? '',
    table.lake?.lag == null ? '' : formatDuration(Math.round(table.lake.lag * 1000)),
    lossesOf(table.lake, losses ?? []),
    problemOf(table),
    ...(verified ? [describeVerified(table.verified)] : []),
  ]);
  const heads = [{ head: 'table' }, { head: 'key' }, { head: 'rows', align: 'right' }, { head: 'last change' }, { head: 'lag' }] as const;
  const more = [{ head: 'losses' }, { head: 'capture' }, ...(verified ? [{ head: 'verified' }] : [])];
  const parts = [...head, '', renderTable(stdout, [...heads, ...more], rows)];
  if (status.loads.length > 0) parts.push('', renderTable(stdout, LOAD_HEADS, status.loads.map(describeLoad)));
  const shown = [...(gaps ?? []).filter(isOpen), ...(gaps ?? []).filter((gap) => !isOpen(gap)).slice(-CHANGES_SHOWN)];
  if (shown.length > 0) parts.push('', renderTable(stdout, GAP_HEADS, shown.map(gapCells)));
  const changes = (status.schemaChanges ?? []).filter(({ change }) => change !== 'table_added').slice(0, CHANGES_SHOWN);
  if (changes.length === 0) return parts.join('\n');
  const cells = changes.map((row) => [
    tableLabel({ schema: String(row.table_schema), name: String(row.table_name) }),
    ...[row.change, row.column_name, row.detail, row.batch_id, row.noted_ts],
  ]);
  const columns = [{ head: 'schema changes' }, { head: '' }, { head: 'column' }, { head: '' }, { head: 'batch', align: 'right' }] as const;
  return [...parts, '', renderTable(stdout, [...columns, { head: 'noted' }], cells)].join('\n');
}

const LOAD_HEADS = [
  { head: 'loads' },
  { head: '' },
  { head: 'rows', align: 'right' },
  { head: '%', align: 'right' },
  { head: '' },
] as const;

function describeLoad({ schema, name, mode, rows, percent, rowsPerSecond, expected }: OpenLoad): string[] {
  const label = tableLabel({ schema, name });
  const what = mode === 'fill' ? 'first load' : mode;
  if (rows === null) return [label, what, '', '', 'waits'];
  return [label, what, formatCount(rows), String(percent ?? ''), rowsPerSecond ? formatPace(rowsPerSecond, (expected ?? 0) - rows) : ''];
}

function describeVerified(verified: Verified | null): string {
  if (verified === null) return '';
  const { at, differences, repaired, sample } = verified;
  const found = differences === 0 ? 'equal' : `${plural(differences, 'difference')}${repaired ? ', repaired' : ''}`;
  return `${found}, ${at.slice(0, 16)}Z${sample === null ? '' : `, ${sample} % of it`}`;
}

const CHANGES_SHOWN = 5;

const GAP_HEADS = [
  { head: 'gaps' },
  { head: 'from' },
  { head: 'to' },
  { head: 'tables' },
  { head: 'missing', align: 'right' },
  { head: 'different', align: 'right' },
  { head: 'extra', align: 'right' },
  { head: 'repaired' },
] as const;

type Gap = LakeStatus['gaps'][number];

const isOpen = (gap: Gap): boolean => gap.closed_ts === null;

function gapCells(gap: Gap) {
  const tables = gap.tables === null ? 'all' : (gap.tables as string[]).join(', ');
  return [gap.cause, gap.from_ts, gap.to_ts, tables, gap.missing ?? '', gap.different ?? '', gap.extra ?? '', gap.closed_ts ?? 'open'];
}

/** With its name in the lake, where that is another. */
function labelOf({ schema, name, lake }: Status['tables'][number]): string {
  const label = tableLabel({ schema, name });
  return lake === null || (lake.schema === schema && lake.name === name) ? label : `${label} as ${tableLabel(lake)}`;
}

/** `amount 3, doc 1`; whole rows stand under `row`. */
function lossesOf(lake: TableWatermark | null, losses: LakeStatus['losses']): string {
  const mine = losses.filter(({ schema, table }) => schema === lake?.schema && table === lake.name);
  return mine.map(({ column, values }) => `${column ?? 'row'} ${formatCount(values)}`).join(', ');
}

function problemOf({ problem, details, stale }: SourceStatus['tables'][number]): string {
  if (problem === null) return stale ? 'captured, slowly: see sluice doctor' : 'captured';
  return details.length === 0 ? problem : `${problem}: ${details.join(', ')}`;
}
