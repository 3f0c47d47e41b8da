import { createRequire } from 'node:module';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { LakeConfig } from '../../src/lake/index.ts';
import type { Command } from './process.ts';
import type { Venv } from './venv.ts';

/** What a side copies public.wide into: nothing is there before. */
export interface Place {
  /** The source. */
  readonly url: string;
  /** An empty database, for DuckLake's catalog. */
  readonly catalog: string;
  /** An empty folder. */
  readonly folder: string;
}

export interface Copy {
  readonly command: Command;
  /** Where the copy is afterwards. */
  readonly lake: LakeConfig;
  readonly table: string;
}

export interface Side {
  readonly name: string;
  readonly copy: (place: Place) => Copy;
}

/** The sides of a peer that is here, each with the settings that are its fastest on this work; README.md has the alternatives and their times. */
export function sidesOf(venv: Venv): Side[] {
  const { name, version } = venv;
  switch (name) {
    case 'dlt':
      return [{ name: `dlt ${version}`, copy: (place) => dlt(venv, place) }];
    case 'sling':
      return [{ name: `sling ${version}`, copy: (place) => sling(venv, place) }];
    case 'ingestr':
      return [
        { name: `ingestr ${version}`, copy: (place) => ingestrToDuckLake(venv, place) },
        { name: `ingestr ${version}, DuckDB file`, copy: (place) => ingestrToFile(venv, place) },
      ];
  }
}

/** `sluice run --once` in a folder with a sluice.yaml. */
export function drainOnce(folder: string): Command {
  return { file: process.execPath, args: [fileURLToPath(new URL('../../src/cli/main.ts', import.meta.url)), 'run', '--once'], cwd: folder };
}

/** DuckDB's own CREATE TABLE AS, by an engine as ours is set up in the lab. */
export function ctas(labFolder: string): Side {
  const script = fileURLToPath(new URL('ctas.ts', import.meta.url));
  return {
    name: 'DuckDB CTAS',
    copy: ({ url, catalog, folder }) => {
      const lake = ducklakeIn(folder, catalog);
      return { command: { file: process.execPath, args: [script, labFolder, url, catalog, lake.data] }, lake, table: 'main.wide' };
    },
  };
}

function dlt({ bin, home }: Venv, { url, catalog, folder }: Place): Copy {
  const lake = ducklakeIn(folder, catalog);
  const script = fileURLToPath(new URL('dlt_snapshot.py', import.meta.url));
  return {
    command: {
      file: join(bin, 'python'),
      args: [script, url, catalog, lake.data, join(folder, 'pipelines')],
      env: { HOME: home, RUNTIME__DLTHUB_TELEMETRY: 'false' },
    },
    lake,
    table: 'bench.wide',
  };
}

function sling({ packages, home }: Venv, { url, catalog, folder }: Place): Copy {
  const lake = ducklakeIn(folder, catalog);
  const { hostname, port, username, password, pathname } = new URL(catalog);
  const target = {
    type: 'ducklake',
    catalog_type: 'postgres',
    catalog_conn_string: `host=${hostname} port=${port} user=${username} password=${password} dbname=${pathname.slice(1)}`,
    data_path: lake.data,
    copy_method: 'csv_files',
  };
  const streams = ['--src-conn', 'SOURCE', '--src-stream', 'public.wide', '--tgt-conn', 'LAKE', '--tgt-object', 'main.wide'];
  return {
    command: {
      // The executable of the package `sling` is a Python program that starts this one.
      file: join(packages, 'sling_linux_amd64', 'bin', 'sling-linux-amd64'),
      args: ['run', ...streams, '--mode', 'full-refresh'],
      env: {
        HOME: home,
        SLING_HOME_DIR: join(home, '.sling'),
        SLING_DISABLE_TELEMETRY: 'true',
        SLING_DIRECT_INSERT: 'true',
        DUCKDB_PATH: join(packages, 'duckdb_cli', 'duckdb'),
        DUCKDB_VERSION: '1.5.5',
        DUCKDB_USE_INSTALLED_EXTENSIONS: 'true',
        SOURCE: `${url}?sslmode=disable`,
        LAKE: JSON.stringify(target),
      },
    },
    lake,
    table: 'main.wide',
  };
}

/**
 * Its DuckLake destination has no local folders: it asks for S3, Google Cloud Storage or Azure. What it hands to DuckDB as the path of Google's is any
 * path that DuckDB knows. A table that has a primary key it can't make there, which DuckLake doesn't know; the columns of a query have none.
 */
function ingestrToDuckLake(venv: Venv, { url, catalog, folder }: Place): Copy {
  const lake = ducklakeIn(folder, catalog);
  const { hostname, port, username, password, pathname } = new URL(catalog);
  const target = new URLSearchParams({
    catalog_type: 'postgres',
    catalog_host: hostname,
    catalog_port: port,
    catalog_database: pathname.slice(1),
    catalog_username: username,
    catalog_password: password,
    storage_type: 'gcs',
    storage_path: lake.data,
    storage_access_key: 'none',
    storage_secret_key: 'none',
  });
  const args = ['--source-table', 'query:SELECT * FROM public.wide', '--columns', 'c:decimal(12,2)'];
  return { command: ingestr(venv, folder, { from: url, to: `ducklake://?${target}`, args }), lake, table: 'main.wide' };
}

function ingestrToFile(venv: Venv, { url, folder }: Place): Copy {
  const path = join(folder, 'lake.duckdb');
  const args = ['--source-table', 'public.wide', '--extract-partition-by', 'id', '--extract-parallelism', '2'];
  return {
    command: ingestr(venv, folder, { from: url, to: `duckdb:///${path}`, args }),
    lake: { type: 'duckdb', path },
    table: 'main.wide',
  };
}

/** The first time all rows, then what logical replication has kept since, each time to the end of what waits. Its DuckLake destination refuses changes. */
export function ingestrChanges(venv: Venv, { url, folder }: Omit<Place, 'catalog'>, { publication = '' }): Copy {
  const path = join(folder, 'lake.duckdb');
  const from = `${url.replace('postgres://', 'postgres+cdc://')}?publication=${publication}&slot=${publication}`;
  return {
    command: ingestr(venv, folder, { from, to: `duckdb:///${path}`, args: ['--source-table', 'public.wide'] }),
    lake: { type: 'duckdb', path },
    table: 'main.wide',
  };
}

function ingestr({ bin, home }: Venv, folder: string, { from = '', to = '', args = [] as readonly string[] }): Command {
  const separator = from.includes('?') ? '&' : '?';
  const uris = ['--source-uri', `${from}${separator}sslmode=disable`, '--dest-uri', to, '--dest-table', 'main.wide'];
  return {
    file: join(bin, 'ingestr'),
    args: ['ingest', ...uris, ...args, '--no-load-timestamp', '--yes', '--progress', 'log'],
    env: { HOME: home, INGESTR_DISABLE_TELEMETRY: 'true', ADBC_DRIVER_PATH: folder },
  };
}

/** The manifest by which ingestr, which would download DuckDB, finds ours: to be `duckdb.toml` in the folder that ADBC_DRIVER_PATH names. */
export function driverManifest(): string {
  const library = `@duckdb/node-bindings-${process.platform}-${process.arch}/libduckdb.${process.platform === 'darwin' ? 'dylib' : 'so'}`;
  const path = createRequire(import.meta.url).resolve(library);
  return `manifest_version = 1\nname = 'DuckDB'\n\n[Driver]\nentrypoint = 'duckdb_adbc_init'\nshared = '${path}'\n`;
}

function ducklakeIn(folder: string, catalog: string) {
  return { type: 'ducklake', catalog, data: join(folder, 'data') } as const;
}
