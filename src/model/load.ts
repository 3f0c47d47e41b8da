import type { SourceType } from './source-type.ts';
import type { LakeColumn, LakeTable } from './table.ts';
import { mapType } from './types.ts';

/**
 * What a load is for. fill: a table's first one. full: its state made anew, history goes on. reset: all of it made anew. compare: what differs is
 * mended. verify: what differs is listed. repair: both.
 */
export type LoadMode = 'fill' | 'full' | 'reset' | 'compare' | 'verify' | 'repair';

/** Whether all rows are brought, into a state that is not shown meanwhile; else they are held against the one that there is. */
export function isFill({ mode }: { readonly mode: LoadMode }): boolean {
  return mode === 'fill' || mode === 'full' || mode === 'reset';
}

/** A relation that rows are read from: a plain table, or a leaf partition. */
export interface Leaf {
  /** Oid as text. */
  readonly relid: string;
  /** Another one once the relation was rewritten, and its rows lie elsewhere. */
  readonly filenode: string;
  /** Blocks of its heap. */
  readonly pages: number;
  /** On disk, with what lies beside the heap. */
  readonly bytes: number;
  /** As PostgreSQL last counted them. */
  readonly rows: number;
}

/** A leaf as a load reads it: `step` pages at a time. */
export interface PlannedLeaf extends Leaf {
  readonly step: number;
  /** Of a sample: the first of `pages`; else they begin with the leaf's own. */
  readonly first?: number;
}

/** Pages of a leaf that are read by one statement. */
export interface Chunk {
  readonly index: number;
  readonly relid: string;
  readonly firstPage: number;
  readonly pages: number;
}

/** Rows at these places of a leaf. */
export interface Places {
  readonly relid: string;
  /** Ctids as text. */
  readonly places: readonly string[];
}

/** A load that is not done: a row of `sluice.load`. */
export interface OpenLoad {
  readonly id: string;
  /** As the lake has it now. */
  readonly table: LakeTable;
  readonly mode: LoadMode;
  /** Percent of the rows to be read, about; null: all. */
  readonly sample: number | null;
  /** The gap that it repairs. */
  readonly gapId: string | null;
  /** Its number among the batches; null: it has not begun. */
  readonly batchId: number | null;
  readonly plan: readonly PlannedLeaf[];
  /** Chunks that are in the lake, by index, with their rows. */
  readonly done: ReadonlyMap<number, number>;
  /** A TRUNCATE or DDL came in between: what was read may not be true any more. */
  readonly disturbed: boolean;
  /** The oldest transaction that ran when it began (pg_snapshot_xmin), as text. */
  readonly horizon: string | null;
}

/** What a load has found and, unless it only verified, mended. */
export interface Loaded {
  /** Rows of the source. */
  readonly rows: number;
  /** Rows that the lake lacked. */
  readonly missing: number;
  readonly different: number;
  /** Rows that the source lacks. */
  readonly extra: number;
}

/** About what a chunk takes in memory, in the engine and at the source. */
const CHUNK_BYTES = 64_000_000;
export const CHUNK_ROWS = 250_000;

/**
 * How to read these leaves, in chunks of about `CHUNK_BYTES` and `CHUNK_ROWS`.
 * @param shrink how many times smaller: what the source has compressed takes more memory than pages tell
 */
export function planChunks(
  leaves: readonly Leaf[],
  { chunkRows = CHUNK_ROWS, shrink = 1 }: { readonly chunkRows?: number | undefined; readonly shrink?: number } = {},
): PlannedLeaf[] {
  return leaves.map((leaf) => {
    const wide = (CHUNK_BYTES * leaf.pages) / leaf.bytes;
    const many = (chunkRows * leaf.pages) / leaf.rows;
    // Where there are no statistics, `rows` is 0: a page holds less than 300 rows.
    const step = Math.min(wide, leaf.rows > 0 ? many : chunkRows / 300) / shrink;
    return { ...leaf, step: Math.max(1, Number.isFinite(step) ? Math.floor(step) : 1) };
  });
}

/** A sample is taken out of this many parts of a leaf, or more: of a small table too some rows are read and others not. */
const PARTS = 100;

/** Of a plan about so many percent of its pages, here and there. Which rows lie in a page says little of what is wrong with them. */
export function sampleChunks(plan: readonly PlannedLeaf[], percent: number, random: () => number = Math.random): PlannedLeaf[] {
  return plan.flatMap((leaf) => {
    const step = Math.min(leaf.step, Math.ceil(leaf.pages / PARTS));
    const parts = step === 0 ? 0 : Math.ceil(leaf.pages / step);
    let wanted = Math.ceil((parts * percent) / 100);
    const chosen: PlannedLeaf[] = [];
    for (let part = 0; part < parts; part += 1) {
      if (random() * (parts - part) >= wanted) continue;
      wanted -= 1;
      const pages = Math.min(step, leaf.pages - part * step);
      chosen.push({ ...leaf, step, first: part * step, pages, rows: (leaf.rows * pages) / leaf.pages });
    }
    return chosen;
  });
}

/** The chunks of a plan, in order. */
export function chunksOf(plan: readonly PlannedLeaf[]): Chunk[] {
  const chunks: Chunk[] = [];
  for (const { relid, pages, step, first = 0 } of plan) {
    for (let page = 0; page < pages; page += step) {
      chunks.push({ index: chunks.length, relid, firstPage: first + page, pages: Math.min(step, pages - page) });
    }
  }
  return chunks;
}

/** The heap of a table that is small, in pages: 4 MB. Larger chunks are files of their own. */
const SMALL_PAGES = 512;
/** First loads of small tables that share a transaction, at most: it takes about 20 ms for each, and batches wait meanwhile. */
const TOGETHER = 50;

/**
 * Of loads in their order those that share their transactions: the first, or with it other first loads of small tables, one a table: each puts its state in the
 * place of the one before. Together their rows take the memory of one chunk.
 */
export function loadsTogether<T extends { readonly load: OpenLoad; readonly plan: readonly PlannedLeaf[] }>(
  loads: readonly T[],
  shrink = 1,
): T[] {
  const [first] = loads;
  if (first === undefined || !isSmall(first)) return loads.slice(0, 1);
  let bytes = 0;
  const tables = new Set<number>();
  const small = loads.filter(isSmall).filter((one, position) => {
    if (tables.has(one.load.table.id)) return false;
    tables.add(one.load.table.id);
    bytes += one.plan.reduce((sum, leaf) => sum + leaf.bytes, 0);
    return position === 0 || bytes <= CHUNK_BYTES / shrink;
  });
  return small.slice(0, TOGETHER);
}

/** No leaf of it has more than a chunk. */
function isSmall({ load, plan }: { readonly load: OpenLoad; readonly plan: readonly PlannedLeaf[] }): boolean {
  const pages = plan.reduce((sum, leaf) => sum + leaf.pages, 0);
  return load.mode === 'fill' && load.done.size === 0 && pages <= SMALL_PAGES && plan.every((leaf) => leaf.pages <= leaf.step);
}

/** Rows that a plan has in all: as the pages of its finished chunks (with their rows) hold, else by the statistics, which may be none. */
export function expectedRows(plan: readonly PlannedLeaf[], done: ReadonlyMap<number, number>): number {
  const all = plan.reduce((sum, { pages }) => sum + pages, 0);
  const read = chunksOf(plan).reduce((sum, { index, pages }) => sum + (done.has(index) ? pages : 0), 0);
  const rows = [...done.values()].reduce((sum, n) => sum + n, 0);
  return Math.round(read === 0 ? plan.reduce((sum, leaf) => sum + leaf.rows, 0) : (rows * all) / read);
}

/** How a column's values are read: see sql/audit.read_columns_sql.sql. */
export type Way = 'native' | 'guarded' | 'plain' | 'numbers' | 'json' | 'text';

/** Types that the engine reads as they are, with the lake's type of each; exactness is held by test/contract/load-types.test.ts. */
const NATIVE: Readonly<Record<string, string>> = {
  bool: 'BOOLEAN',
  int2: 'SMALLINT',
  int4: 'INTEGER',
  int8: 'BIGINT',
  float4: 'FLOAT',
  float8: 'DOUBLE',
  text: 'VARCHAR',
  varchar: 'VARCHAR',
  uuid: 'UUID',
  bytea: 'BLOB',
  date: 'DATE',
  time: 'TIME',
};

/** Types that it reads so but for rare values: it counts microseconds from 1970, PostgreSQL from 2000; and for the NaN of a numeric it takes 0. */
const TIMES: Readonly<Record<string, string>> = { timestamp: 'TIMESTAMP', timestamptz: 'TIMESTAMPTZ' };

/** A column as it is read for a load. */
export interface ReadColumn {
  readonly column: LakeColumn;
  readonly way: Way;
  /** SQL types of what arrives of it, in PostgreSQL's words. */
  readonly arrives: readonly string[];
}

/** How rows are read. */
export interface Reading {
  readonly columns: readonly ReadColumn[];
  /** Their ctids too, as a first column. */
  readonly placed: boolean;
  /** Attnums of numeric columns: a last column says whether any of them is NaN. */
  readonly checked: readonly number[];
  /** No value can arrive as another one. */
  readonly guarded: boolean;
}

/**
 * How each column of a table is read, in attnum order.
 * @param values the reader takes values of PostgreSQL's types: `guarded` so that rare ones arrive as text, `bare` where it is looked for these afterwards;
 * `no`: texts alone
 */
export function waysOf({ columns }: LakeTable, values: 'no' | 'bare' | 'guarded'): ReadColumn[] {
  return [...columns]
    .sort((a, b) => a.attnum - b.attnum)
    .map((column) => {
      const way = wayOf(column, values);
      const arrives = way === 'native' ? [column.type.text] : way === 'guarded' ? [column.type.text, 'text'] : ['text'];
      return { column, way, arrives };
    });
}

/** A time of PostgreSQL that is one of the lake's. */
export function isTime({ type, lakeType }: LakeColumn): boolean {
  return isBuiltIn(type) && TIMES[type.name] === lakeType;
}

/** A numeric that is a DECIMAL of the same digits. */
export function isDecimal({ type, lakeType }: LakeColumn): boolean {
  return isBuiltIn(type) && type.name === 'numeric' && type.text === lakeType.replace('DECIMAL', 'numeric');
}

function isBuiltIn({ schema, element, kind }: SourceType): boolean {
  return schema === 'pg_catalog' && element === undefined && kind === 'b';
}

function wayOf(column: LakeColumn, values: 'no' | 'bare' | 'guarded'): Way {
  const { type, override, lakeType } = column;
  const builtIn = isBuiltIn(type);
  if (values !== 'no' && builtIn && NATIVE[type.name] === lakeType) return 'native';
  if (values !== 'no' && (isTime(column) || isDecimal(column))) return values === 'bare' ? 'native' : 'guarded';
  if (builtIn && type.name === 'numeric') return 'plain';
  const { exact } = mapType(type, override);
  // The parser would make doubles of them.
  if (exact === 'array' && /^(numeric|float4|float8)$/.test(type.element?.name ?? '')) return 'numbers';
  return exact === 'json' || exact === 'array' || type.element !== undefined || type.kind === 'c' ? 'json' : 'text';
}
