import { formatDuration } from '../../config/index.ts';
import type { Fault } from '../../model/fault.ts';
import type { SourceStatus } from '../../source/index.ts';
import type { Context, Register } from '../context.ts';
import type { LakeStatus } from '../lake-status.ts';
import { formatBytes, paint, plural, renderTable } from '../output.ts';
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
  readonly tables: SourceStatus['tables'];
  /** Spans whose changes were lost at the source, as the lake lists them; null: the lake can't be read. */
  readonly gaps: LakeStatus['gaps'] | null;
  readonly batches: {
    readonly done: number;
    readonly open: SourceStatus['openBatch'];
    readonly last: SourceStatus['lastBatch'];
  };
  readonly lake: Omit<LakeStatus, 'gaps'> | { readonly error: Omit<Fault, 'retry'> };
}

export const register: Register = (program, bind) => {
  program
    .command('status')
    .description(
      'show lag, tracked tables, batches and gaps; exit 1 if the lake is missing or of another source, or a table is not captured',
    )
    .action(
      bind(async (context) => {
        const config = context.config();
        const { readLakeStatus } = await import('../lake-status.ts');
        const source = await withSource(config, async (sql, { assertInstalled, readStatus }) => {
          await assertInstalled(sql);
          return readStatus(sql);
        });
        const identity = await readIdentity(config);
        const lake = await readLakeStatus(config, { identity, done: source.batchesDone }, context.io);
        const status = combine(source, lake);
        if ('error' in status.lake || status.tables.some(({ problem }) => problem !== null && problem !== 'dropped')) context.exitCode = 1;
        await context.print(status, () => report(context, status));
      }),
    );
};

function combine(source: SourceStatus, lake: LakeStatus | Fault): Status {
  const { waitingSince } = source;
  const { gaps, ...ledger } =
    'gaps' in lake ? lake : { gaps: null, error: { code: lake.code, message: lake.message, remedy: lake.remedy } };
  return {
    lag: waitingSince === null ? 0 : Math.max(0, (Date.now() - Date.parse(waitingSince)) / 1000),
    waitingSince,
    bufferBytes: source.bufferBytes,
    running: source.led,
    bufferLost: !source.sentinel,
    tables: source.tables,
    gaps,
    batches: { done: source.batchesDone, open: source.openBatch, last: source.lastBatch },
    lake: ledger,
  };
}

function report(context: Context, status: Status): string {
  const { stdout } = context.io;
  const { batches, lake, gaps } = status;
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
  if (gaps !== null)
    lines.push([
      'gaps',
      gaps.length === 0 ? 'none' : paint(stdout, 'red', `${plural(gaps.length, 'gap')}: sluice query "FROM sluice.gap"`),
    ]);
  if (status.bufferLost) lines.push(['', paint(stdout, 'red', 'a crash has emptied the buffer: the daemon will name the gap')]);
  const head = lines.map(([name, text]) => `${name.padEnd(9)}${text}`);
  if (status.tables.length === 0) return [...head, '', 'No table is tracked. Next: sluice track'].join('\n');
  const rows = status.tables.map((table) => [tableLabel(table), table.capture, table.key?.join(', ') ?? 'none', problemOf(table)]);
  return [...head, '', renderTable(stdout, [{ head: 'table' }, { head: 'capture' }, { head: 'key' }, { head: 'state' }], rows)].join('\n');
}

function problemOf({ problem, details }: SourceStatus['tables'][number]): string {
  if (problem === null) return 'captured';
  return details.length === 0 ? problem : `${problem}: ${details.join(', ')}`;
}
