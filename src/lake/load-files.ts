import { randomUUID } from 'node:crypto';
import { copyFile, link, rename, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { SluiceError } from '../model/error.ts';
import type { OpenLoad } from '../model/load.ts';
import type { LakeTable } from '../model/table.ts';
import { foldersOf, type LakeConfig } from './config.ts';
import type { Sql } from './engine.ts';
import { makeFolder } from './folder.ts';
import { LOADED_SEQ } from './load-sql.ts';
import { type Place, placesOf } from './places.ts';
import { ident, literal } from './sql.ts';
import { statement } from './statement.ts';

/*
 * Chunks of a load as data files of the lake, where it is a DuckLake and its data lies in a folder. A chunk is written once, beside the drain, to the folder
 * of the typed log; the transaction makes the file known, and its second name to the state. Per 2 million rows of ten columns a CREATE TABLE AS takes 3.5 s of
 * CPU, source and engine together; so 4.5, and 8.5 by way of a table in memory that was inserted into both. Such a file is DuckLake's like any other:
 * merged, rewritten and deleted under each of its names alone. What is read of it, and which files a filter leaves out, is the same as of rows inserted:
 * test/lake/load-files.test.ts.
 */

/** Where the files of a load go, and how they are written. */
export interface FileTarget {
  readonly changes: string;
  /** Undefined: the table has no state. */
  readonly state: string | undefined;
  /** Options of COPY. */
  readonly options: string;
}

/** Options of a lake that its owner may have set, as COPY calls them. */
const COPY_OPTIONS: Readonly<Record<string, string>> = {
  parquet_compression: 'COMPRESSION',
  parquet_compression_level: 'COMPRESSION_LEVEL',
  parquet_version: 'PARQUET_VERSION',
  parquet_row_group_size: 'ROW_GROUP_SIZE',
  parquet_row_group_size_bytes: 'ROW_GROUP_SIZE_BYTES',
};

/** Where files for these tables may be made known; undefined: nowhere, rows are to be inserted. The folders exist then. */
export async function findFileTarget(sql: Sql, lake: LakeConfig, table: LakeTable): Promise<FileTarget | undefined> {
  // A reader takes these for a pattern.
  if (lake.type !== 'ducklake' || !foldersOf(lake).includes(lake.data) || /[*?[\]]/.test(lake.data)) return undefined;
  const { changes, state } = placesOf(table);
  const schema = lake.metadataSchema === undefined ? '' : `.${ident(lake.metadataSchema)}`;
  const found = await sql.rows(statement('load_folders', { metadata: `__ducklake_metadata_lake${schema}` }), {
    changes_schema: changes.schema,
    changes_name: changes.name,
    state_schema: state.schema,
    state_name: state.name,
  });
  const folderOf = async (place: Place) => {
    const folder = found.find((row) => row.table === `${place.schema}.${place.name}`)?.folder;
    if (folder === undefined) return undefined;
    const path = join(lake.data, String(folder));
    await makeFolder(path);
    return path;
  };
  const folders = { changes: await folderOf(changes), state: table.key === null ? undefined : await folderOf(state) };
  if (folders.changes === undefined || (table.key !== null && folders.state === undefined)) return undefined;
  const options = await sql.rows("SELECT option_name, value FROM lake.options() WHERE scope = 'GLOBAL'");
  const copied = options.flatMap(({ option_name, value }) => {
    const name = COPY_OPTIONS[String(option_name)];
    // A number of bytes must be one, in quotes it would need a unit.
    const text = String(value);
    return name === undefined ? [] : [`${name} ${/^\d+$/.test(text) ? text : literal(text)}`];
  });
  return { changes: folders.changes, state: folders.state, options: ['FORMAT parquet', ...copied].join(', ') };
}

/** A chunk in a file of its own. */
export class DataFile {
  readonly target: FileTarget;
  path: string;
  /** A transaction may have made it known: whether that was committed is not known here. */
  given = false;

  constructor(target: FileTarget) {
    this.target = target;
    this.path = join(target.changes, `load-${randomUUID()}.parquet`);
  }

  /** The file as a relation. */
  get relation(): string {
    return `read_parquet(${literal(this.path)})`;
  }

  /** The statement that writes rows to it: what they have beside the table's columns is not of any table's. */
  copy({ table, batchId }: OpenLoad, rows: string, beside: readonly string[]): string {
    const { own, columns } = table;
    // What is null in all rows is left out: a column in a file costs as much as one that has values.
    const mine = { _op: literal('R'), _seq: `${LOADED_SEQ}::BIGINT`, _batch: `${batchId}::BIGINT` };
    const all = [
      ...columns.map(({ name, lakeType }) => `CAST(p.${ident(name)} AS ${lakeType}) AS ${ident(name)}`),
      ...Object.entries(mine).map(([name, value]) => `${value} AS ${ident(own[name as keyof typeof mine])}`),
      ...beside.map((name) => `p.${name}`),
    ];
    return `COPY (SELECT ${all.join(', ')} FROM (${rows}) AS p) TO ${literal(this.path)} (${this.target.options})`;
  }

  async forget(): Promise<void> {
    if (!this.given) await rm(this.path, { force: true });
  }
}

/**
 * Make files known to the typed log, in the lake's transaction, and some of them to the state, which shares their blocks. They lie in a folder of their own
 * then: DuckLake looks at all files of one in the time that it takes for two.
 */
export async function addFiles(sql: Sql, table: LakeTable, files: readonly DataFile[], toState: readonly DataFile[]): Promise<void> {
  const [first] = files;
  if (first === undefined) return;
  const { changes, state } = placesOf(table);
  const name = `load-${randomUUID()}`;
  const folder = join(first.target.changes, name);
  await makeFolder(folder);
  for (const file of files) {
    const path = join(folder, basename(file.path));
    await rename(file.path, path).catch((error: NodeJS.ErrnoException) => {
      if (error.code !== 'ENOENT') throw error;
      const remedy = 'None: the load begins anew. Let ducklake_delete_orphaned_files leave files of the last hour.';
      throw new SluiceError('load_disturbed', 'A file of this load was taken away before the lake knew of it', remedy, { cause: error });
    });
    file.path = path;
    file.given = true;
  }
  await add(sql, changes, folder);
  if (toState.length === 0 || first.target.state === undefined) return;
  const beside = join(first.target.state, name);
  await makeFolder(beside);
  for (const { path } of toState) {
    const second = join(beside, basename(path));
    // Not every file system has second names.
    await link(path, second).catch(() => copyFile(path, second));
  }
  await add(sql, state, beside);
}

async function add(sql: Sql, { schema, name }: Place, folder: string): Promise<void> {
  const files = literal(join(folder, '*.parquet'));
  await sql.run(
    `CALL ducklake_add_data_files('lake', ${literal(name)}, ${files}, schema => ${literal(schema)}, ignore_extra_columns => true, allow_missing => true)`,
  );
}
