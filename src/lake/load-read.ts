import { isDecimal, isFill, type OpenLoad, type Reading, waysOf } from '../model/load.ts';
import type { LakeTable } from '../model/table.ts';
import type { BatchReader, ReadRows } from '../pipeline/ports.ts';
import type { Engine, Sql } from './engine.ts';
import type { DataFile } from './load-files.ts';
import { besideOf, lostColumn, oddCondition, projection } from './load-sql.ts';
import type { RowSource } from './row-source.ts';
import { statement } from './statement.ts';

/** Rows that were read: a table of the engine's memory, or a file. */
export class Read implements ReadRows {
  readonly #engine: Engine;
  readonly file: DataFile | undefined;
  readonly relation: string;
  rows = 0;
  /** A value of them was lost. */
  lossy = false;

  constructor(engine: Engine, name: string, file: DataFile | undefined) {
    this.#engine = engine;
    this.file = file;
    this.relation = file?.relation ?? `memory.main.${name}`;
  }

  get inMemory(): boolean {
    return this.file === undefined;
  }

  /**
   * Read them, on a connection of its own. After a failure nothing is left.
   * @param native whether values arrive in their types; else all are texts
   */
  async fill(load: OpenLoad, source: RowSource, native: boolean, readerOf: (reading: Reading) => Promise<BatchReader>): Promise<void> {
    const placed = !isFill(load);
    const bare = { columns: waysOf(load.table, native ? 'bare' : 'no'), placed, checked: native ? decimalsOf(load.table) : [] };
    try {
      await this.#engine.beside(async (sql) => {
        // Guards on every value cost the source half as much again; few tables have a value that needs them.
        if (await this.#arrive(sql, load, source, { ...bare, guarded: !native }, readerOf)) {
          const guarded = { columns: waysOf(load.table, 'guarded'), placed, checked: [], guarded: true };
          await this.#arrive(sql, load, source, guarded, readerOf);
        }
      });
    } catch (error) {
      await this.forget().catch(() => undefined);
      throw error;
    }
  }

  /** Returns whether a value may have arrived as another one. */
  async #arrive(
    sql: Sql,
    load: OpenLoad,
    source: RowSource,
    reading: Reading,
    readerOf: (reading: Reading) => Promise<BatchReader>,
  ): Promise<boolean> {
    const arrive = reading.columns.flatMap(({ arrives }) => arrives).map((_, index) => `c${index}`);
    const names = [...(reading.placed ? ['place'] : []), ...arrive, ...(reading.checked.length > 0 ? ['odd'] : [])];
    await source.read(sql, await readerOf(reading), names, (from) => this.#statement(load, reading, projection(reading, from)));
    const odd = reading.guarded ? 'false' : oddCondition(reading);
    const lost = lostColumn(reading);
    const lossy = lost === undefined ? 'false' : `count(${lost}) > 0`;
    const [found] = await sql.rows(statement('load_arrived', { rows: this.relation, odd, lossy }));
    this.rows = Number(found?.rows);
    this.lossy = found?.lossy === true;
    return found?.odd === true;
  }

  /** The statement that brings these rows here. */
  #statement(load: OpenLoad, reading: Reading, rows: string): string {
    if (!this.file) return `CREATE OR REPLACE TABLE ${this.relation} AS ${rows}`;
    const odd = reading.checked.length > 0 ? besideOf(load.table.columns).odd : undefined;
    const beside = [lostColumn(reading), odd].filter((one) => one !== undefined);
    return this.file.copy(load, rows, beside);
  }

  async forget(): Promise<void> {
    if (this.file) await this.file.forget();
    else await this.#engine.run(`DROP TABLE IF EXISTS ${this.relation}`);
  }
}

/** Rows as this lake has read them. */
export function mine({ rows }: { readonly rows: ReadRows }): Read {
  if (!(rows instanceof Read)) throw new Error('rows that another lake has read');
  return rows;
}

function decimalsOf({ columns }: LakeTable): number[] {
  return columns.filter(isDecimal).map(({ attnum }) => attnum);
}
