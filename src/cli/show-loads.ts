import type { Config } from '../config/index.ts';
import type { Context } from './context.ts';
import type { TableLoad } from './loads.ts';
import { formatCount, plural, renderTable } from './output.ts';
import { tableLabel } from './tables.ts';

const COUNTS = ['rows', 'missing', 'different', 'extra'] as const;

/** What loads have found and mended. */
export async function printLoaded(context: Context, name: 'loaded' | 'reset', loads: readonly TableLoad[]): Promise<void> {
  const data = loads.map(({ table: { schema, name }, result }) => ({ schema, name, ...result }));
  await context.print({ [name]: data }, () =>
    renderTable(
      context.io.stdout,
      [{ head: 'table' }, ...COUNTS.map((head) => ({ head, align: 'right' }) as const)],
      loads.map(({ table, result }) => [tableLabel(table), ...COUNTS.map((count) => formatCount(result?.[count] ?? 0))]),
    ),
  );
}

/** A row that differs, by its key. */
interface Difference {
  readonly difference: 'missing' | 'different' | 'extra';
  readonly key: unknown;
}

interface Verified {
  readonly schema: string;
  readonly name: string;
  /** Null, as the others: the table has no key, so there is nothing to compare. */
  readonly rows: number | null;
  readonly differences: number | null;
  readonly missing: number | null;
  readonly different: number | null;
  readonly extra: number | null;
  readonly repaired: boolean;
  /** Of the first of them. */
  readonly keys: readonly Difference[];
}

/** Of each table. sluice.difference has all. */
const KEYS = 100;
const KEYS_SHOWN = 10;

/** What verifications have found; sets exit 1 where rows differ that were not repaired. */
export async function printVerified(
  context: Context,
  config: Config,
  loads: readonly TableLoad[],
  { repair, sample }: { repair: boolean; sample: number | undefined },
): Promise<void> {
  const found = loads.filter(({ result }) => result !== null && result.missing + result.different + result.extra > 0);
  const keys = found.length === 0 ? new Map<string, Difference[]>() : await readKeys(context, config, found);
  const tables = loads.map(({ id, table: { schema, name }, result }): Verified => {
    const { rows, missing, different, extra } = result ?? { rows: null, missing: null, different: null, extra: null };
    const differences = result === null ? null : result.missing + result.different + result.extra;
    return {
      schema,
      name,
      rows,
      differences,
      missing,
      different,
      extra,
      repaired: repair && (differences ?? 0) > 0,
      keys: keys.get(id ?? '') ?? [],
    };
  });
  if (found.length > 0 && !repair) context.exitCode = 1;
  await context.print({ ...(sample === undefined ? {} : { sample }), tables }, () => report(context, tables, { repair, sample }));
}

async function readKeys(context: Context, config: Config, loads: readonly TableLoad[]): Promise<Map<string, Difference[]>> {
  const [{ placesFor, withEngine }, { extensionsFor, loadExtensions, openForQuery, whileLocked }] = await Promise.all([
    import('./lake.ts'),
    import('../lake/index.ts'),
  ]);
  return withEngine(config, context.io, async (engine) => {
    await loadExtensions(engine, extensionsFor(config.lake, 'fifo'), placesFor(config));
    const lake = await whileLocked(() => openForQuery(engine, config.lake));
    const keys = new Map<string, Difference[]>();
    for (const { id } of loads) {
      // A uuid of the source's own making: nothing to quote.
      const { rows } = await lake.query(
        `SELECT difference, key::VARCHAR AS key FROM sluice.difference WHERE load_id = '${id}' ORDER BY ALL LIMIT ${KEYS}`,
      );
      keys.set(
        id ?? '',
        rows.map(({ difference, key }) => ({ difference: difference as Difference['difference'], key: JSON.parse(String(key)) })),
      );
    }
    await lake.close();
    return keys;
  });
}

function report(
  context: Context,
  tables: readonly Verified[],
  { repair, sample }: { repair: boolean; sample: number | undefined },
): string {
  const { stdout } = context.io;
  const number = (count: number | null) => (count === null ? '' : formatCount(count));
  const counts = renderTable(
    stdout,
    [
      { head: 'table' },
      ...['rows', 'differences', 'missing', 'different', 'extra'].map((head) => ({ head, align: 'right' }) as const),
      { head: '' },
    ],
    tables.map((table) => {
      const { rows, differences, missing, different, extra } = table;
      const note = rows === null ? 'no key: nothing to compare' : differences === 0 ? 'equal' : table.repaired ? 'repaired' : '';
      return [
        tableLabel(table),
        number(rows),
        number(differences),
        number(missing),
        number(different),
        sample === undefined ? number(extra) : '',
        note,
      ];
    }),
  );
  const keys = tables.flatMap((table) =>
    table.keys.slice(0, KEYS_SHOWN).map(({ difference, key }) => [tableLabel(table), difference, JSON.stringify(key)]),
  );
  const more = tables.reduce((sum, { differences, keys }) => sum + (differences ?? 0) - Math.min(keys.length, KEYS_SHOWN), 0);
  const parts = [counts];
  if (keys.length > 0) parts.push('', renderTable(stdout, [{ head: 'table' }, { head: 'difference' }, { head: 'key' }], keys));
  if (more > 0) parts.push(`and ${plural(more, 'more', 'more')}: sluice query "FROM sluice.difference"`);
  if (sample !== undefined) parts.push('', `About ${sample} % of the rows were read: rows that the source lacks can't be found so.`);
  if (keys.length > 0 && !repair) parts.push('', 'sluice verify --repair mends them.');
  return parts.join('\n');
}
