import { SluiceError } from '../model/error.ts';
import { lakeColumnNames } from '../model/lake-names.ts';
import type { SourceType } from '../model/source-type.ts';
import { mapType } from '../model/types.ts';
import type { TrackedColumn, TrackedColumns } from '../source/index.ts';

/** A column as `status --types` shows it. */
export interface ColumnType {
  readonly column: string;
  /** As PostgreSQL writes it; of a domain with what is below it. */
  readonly sourceType: string;
  /** Name in the lake; null: excluded. */
  readonly lakeColumn: string | null;
  /** DuckDB's type; null: excluded, or `problem` says why there is none. */
  readonly lakeType: string | null;
  /** How the value is held; null: as the lake's type holds it. */
  readonly held: string | null;
  /** What the lake's type can't hold (NULL there, a row in sluice.loss, whole in the log); null: nothing. */
  readonly lost: string | null;
  /** What is wrong with the user's choice for the column; null: nothing. */
  readonly problem: string | null;
}

/** How the lake holds a table's columns, by type, rule and `types:`. Pure. */
export function describeColumns({ columns, types }: Pick<TrackedColumns, 'columns' | 'types'>): ColumnType[] {
  const names = lakeColumnNames(columns.filter(({ rule }) => rule !== 'exclude')).source;
  return columns.map(({ attnum, name, type, rule }) => {
    const column = { column: name, sourceType: typeText(type), lakeColumn: names.get(attnum) ?? null };
    if (rule === 'exclude') return { ...column, lakeType: null, held: 'excluded: never captured', lost: null, problem: null };
    const masked = rule === null ? null : `masked: ${rule}`;
    try {
      const { lakeType, rule: held, lost } = mapping({ name, type, rule }, types);
      return { ...column, lakeType, held: masked ?? held, lost: masked ? null : lost, problem: null };
    } catch (error) {
      return { ...column, lakeType: null, held: masked, lost: null, problem: messageOf(error) };
    }
  });
}

export interface Misfit {
  readonly message: string;
  /** Whether the daemon ends when it meets the table. */
  readonly ends: boolean;
}

/** What is wrong with the user's `types:` for these columns: of a column that is not there, or not captured, or that its type does not take. Pure. */
export function misfits(columns: readonly TrackedColumn[], types: Readonly<Record<string, string>>): Misfit[] {
  return Object.keys(types).flatMap((name): Misfit[] => {
    const column = columns.find((one) => one.name === name);
    if (!column) return [{ message: `types names column ${name}, which it has not`, ends: false }];
    if (column.rule === 'exclude') return [{ message: `types names column ${name}, which is excluded`, ends: false }];
    try {
      mapping(column, types);
      return [];
    } catch (error) {
      return [{ message: messageOf(error), ends: true }];
    }
  });
}

const TEXT: SourceType = { schema: 'pg_catalog', name: 'text', kind: 'b', text: 'text' };

/** A masked column is text, as which it is captured. */
function mapping({ name, type, rule }: Pick<TrackedColumn, 'name' | 'type' | 'rule'>, types: Readonly<Record<string, string>>) {
  return mapType(rule === null ? type : TEXT, Object.hasOwn(types, name) ? types[name] : undefined, name);
}

function typeText({ text, domain }: SourceType): string {
  return domain === undefined ? text : `${domain}, ${text}`;
}

function messageOf(error: unknown): string {
  if (error instanceof SluiceError) return error.message;
  throw error;
}

/** The rules in force for a table, a line each; none where it is captured and held as it is. Pure. */
export function rulesInForce({ columns, types, evolve }: Pick<TrackedColumns, 'columns' | 'types' | 'evolve'>): string[] {
  const excluded = columns.filter(({ rule }) => rule === 'exclude').map(({ name }) => name);
  const masked = columns.flatMap(({ name, rule }) => (rule === null || rule === 'exclude' ? [] : [`${name} (${rule})`]));
  const chosen = Object.entries(types).map(([name, type]) => `${name} ${type}`);
  return [
    ...(excluded.length > 0 ? [`excluded: ${excluded.join(', ')}`] : []),
    ...(masked.length > 0 ? [`masked: ${masked.join(', ')}`] : []),
    ...(chosen.length > 0 ? [`types: ${chosen.join(', ')}`] : []),
    ...(evolve === 'follow' ? [] : [`evolve: ${evolve}`]),
  ];
}
