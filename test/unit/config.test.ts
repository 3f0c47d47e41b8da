// biome-ignore-all lint/suspicious/noTemplateCurlyInString: variables of a configuration file are written like this.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import {
  type Config,
  compilePatterns,
  compileRenames,
  configOptions,
  type LoadOptions,
  loadConfig,
  loadLakeConfig,
} from '../../src/config/index.ts';
import { nearestKey } from '../../src/config/problems.ts';
import { SluiceError } from '../../src/model/error.ts';

const folder = mkdtempSync(join(tmpdir(), 'sluice-config-'));
afterAll(() => rmSync(folder, { recursive: true }));

const URL_LINE = 'source: { url: "postgres://me@host/shop" }\n';

function load(yaml: string, options: Partial<LoadOptions> = {}): Config {
  const file = join(folder, 'sluice.yaml');
  writeFileSync(file, yaml);
  return loadConfig({ file, env: {}, cwd: '/elsewhere', ...options });
}

function failure(attempt: () => unknown): SluiceError {
  try {
    attempt();
  } catch (error) {
    if (error instanceof SluiceError) return error;
    throw error;
  }
  throw new Error('nothing was thrown');
}

describe('defaults', () => {
  it('fill in all but the URL', () => {
    expect(load(URL_LINE, { env: { HOME: '/users/me' } })).toEqual({
      source: { url: 'postgres://me@host/shop', lockTimeoutMs: 50, buffer: 'unlogged', context: false },
      tables: [],
      tableOptions: [],
      renames: [],
      lake: { type: 'ducklake', catalog: `sqlite:${folder}/lake/catalog.sqlite`, data: `${folder}/lake/data`, inlineRows: 10 },
      batch: { intervalMs: 1000 },
      diskGuard: { tables: ['*.*'] },
      load: { readers: 2 },
      verify: {},
      memoryLimit: '384MB',
      staging: 'auto',
      log: { level: 'info' },
      cacheDirectory: '/users/me/.cache/pg-sluice',
      file: join(folder, 'sluice.yaml'),
    });
  });

  it('apply to an empty section', () => {
    expect(load(`${URL_LINE}batch:\nlog:\n`).batch).toEqual({ intervalMs: 1000 });
  });

  it('of a lake without a type are those of a DuckLake', () => {
    expect(load(`${URL_LINE}lake: { data: s3://bucket/p }`).lake).toMatchObject({ type: 'ducklake', data: 's3://bucket/p' });
  });
});

describe('retention and the guard of the disk', () => {
  it('are read in days and in bytes', () => {
    expect(load(`${URL_LINE}retain: 90d\ndisk_guard: { limit: 2GB, tables: ["public.*", "!public.orders"] }`)).toMatchObject({
      retainMs: 90 * 86_400_000,
      diskGuard: { limit: 2_000_000_000, tables: ['public.*', '!public.orders'] },
    });
    const env = { SLUICE_RETAIN: '36h', SLUICE_DISK_GUARD_LIMIT: '1.5 GiB', SLUICE_DISK_GUARD_TABLES: 'a.*, b.*' };
    expect(load(URL_LINE, { env })).toMatchObject({ retainMs: 129_600_000, diskGuard: { limit: 1_610_612_736, tables: ['a.*', 'b.*'] } });
  });
});

describe('tables', () => {
  const TABLES = `${URL_LINE}tables:
  - public.*
  - { table: public.users, exclude: [password], mask: { email: hash, phone: keep-last-4, note: null, name: constant }, key: [id] }
  - { table: '"odd.schema".t', types: { amount: "decimal(30,8)" }, evolve: freeze }
  - "!public.tmp"
`;
  it('may have options of their own, and stand in the list like a pattern', () => {
    const { tables, tableOptions } = load(TABLES);
    expect(tables).toEqual(['public.*', 'public.users', '"odd.schema".t', '!public.tmp']);
    expect(tableOptions).toEqual([
      {
        table: 'public.users',
        exclude: ['password'],
        mask: { email: 'hash', phone: 'keep-last-4', note: 'null', name: 'constant' },
        key: ['id'],
      },
      { table: '"odd.schema".t', types: { amount: 'decimal(30,8)' }, evolve: 'freeze' },
    ]);
  });

  it('keep their rules where the environment says which to take', () => {
    const { tables, tableOptions } = load(TABLES, { env: { SLUICE_TABLES: 'public.a, public.users' } });
    expect(tableOptions).toHaveLength(2);
    const taken = compilePatterns(tables);
    expect(['a', 'users', 'b'].map((name) => taken({ schema: 'public', name }))).toEqual([true, true, false]);
    expect(taken({ schema: 'odd.schema', name: 't' })).toBe(false);
  });

  it.each([
    ['{ table: public.users, exlude: [x] }', 'config_unknown_key', 'tables.0.exlude', 'tables.exclude'],
    ['{ table: "public.*" }', 'config_invalid', 'tables.0.table', 'docs/configuration.md'],
    ['{ table: "!public.users" }', 'config_invalid', 'tables.0.table', ''],
    ['{ table: users }', 'config_invalid', 'tables.0.table', ''],
    ['{ mask: { a: hash } }', 'config_invalid', 'tables.0.table', ''],
    ['{ table: public.users, mask: { a: rot13 } }', 'config_invalid', 'tables.0.mask.a: expected hash', ''],
    ['{ table: public.users, mask: { a: keep-last-0 } }', 'config_invalid', 'tables.0.mask.a: expected hash', ''],
    ['{ table: public.users, exclude: }', 'config_invalid', 'tables.0.exclude', ''],
    ['{ table: public.users, evolve: no }', 'config_invalid', 'tables.0.evolve', ''],
    ['7', 'config_invalid', 'tables.0', ''],
    ['users', 'config_invalid', 'tables', ''],
  ])('refused: %s', (entry, code, message, remedy) => {
    const error = failure(() => load(`${URL_LINE}tables: [${entry}]`));
    expect(error).toMatchObject({ code, message: expect.stringContaining(message), remedy: expect.stringContaining(remedy) });
  });

  it('are renamed by pattern, beside what they have of their own', () => {
    const { tables, tableOptions, renames } = load(`${URL_LINE}tables:
  - { table: public.users, exclude: [password] }
  - { table: "shard_*.*", rename: shop.$2_$1 }
  - { table: public.users, rename: shop.users }
  - { table: public.events, key: [id], rename: '"a.b".events' }
`);
    expect(tables).toEqual(['public.users', 'shard_*.*', 'public.users', 'public.events']);
    // An entry with nothing but a rename takes back no rule.
    expect(tableOptions).toEqual([
      { table: 'public.users', exclude: ['password'] },
      { table: 'public.events', key: ['id'] },
    ]);
    expect(renames).toEqual([
      { table: 'shard_*.*', rename: 'shop.$2_$1' },
      { table: 'public.users', rename: 'shop.users' },
      { table: 'public.events', rename: '"a.b".events' },
    ]);
  });

  it.each<readonly [string, string]>([
    ['{ table: "public.*", rename: "lake.$1", exclude: [x] }', 'tables.0.table: wildcards go with rename alone'],
    ['{ table: "!public.*", rename: "lake.$1" }', 'tables.0.table: an excluded table'],
    ['{ table: public, rename: "lake.$1" }', 'tables.0.table: "public" is not a table pattern'],
    ['{ table: "public.*", rename: $1 }', 'tables.0.rename: expected schema and table'],
    ['{ table: "public.*", rename: a.b.$1 }', 'tables.0.rename: expected schema and table'],
    ['{ table: "public.*", rename: shop. }', 'tables.0.rename: expected schema and table'],
    ['{ table: "public.*", rename: "*.$1" }', 'tables.0.rename: $1 stands for'],
    ['{ table: "public.*", rename: x.$2 }', 'tables.0.rename: $2 is nothing: table has wildcards $1 to $1'],
    ['{ table: "public.*", rename: x.$0 }', 'tables.0.rename: $0 is nothing'],
    ['{ table: public.users, rename: x.$1 }', 'tables.0.rename: $1 is nothing: table has no wildcard'],
    ['{ table: public.users, rename: 7 }', 'tables.0.rename'],
    [`{ table: public.users, rename: x.${'y'.repeat(201)} }`, 'tables.0.rename: schema and table have at most 200 bytes'],
    ...['Main', 'sluice', 'memory', 'orders_changes', '$1_History'].map(
      (schema) => [`{ table: "*.*", rename: ${schema}.$2 }`, 'tables.0.rename: the lake keeps this schema'] as const,
    ),
  ])('are not renamed so: %s', (entry, message) => {
    expect(failure(() => load(`${URL_LINE}tables: [${entry}]`))).toMatchObject({
      code: 'config_invalid',
      message: expect.stringContaining(message),
    });
  });

  it('source.context is off unless it is said, in the file or the environment', () => {
    expect(load(`source: { url: "postgres://h/d", context: true }`).source.context).toBe(true);
    expect(load(URL_LINE, { env: { SLUICE_SOURCE_CONTEXT: 'true' } }).source.context).toBe(true);
    expect(failure(() => load(URL_LINE, { env: { SLUICE_SOURCE_CONTEXT: 'yes' } })).message).toContain('source.context');
  });
});

describe('renames', () => {
  const named = (schema: string, name: string, ...entries: (readonly [string, string])[]) => {
    const found = compileRenames(entries.map(([table, rename]) => ({ table, rename })))({ schema, name });
    return found && `${found.schema}|${found.name}`;
  };

  it.each([
    ['strip the schema', 'app', 'orders', '*.*', 'shop.$2', 'shop|orders'],
    ['prefix by tenant', 'tenant_7', 'orders', 'tenant_*.*', 'tenants.$1_$2', 'tenants|7_orders'],
    ['app_x.orders -> x.orders', 'app_x', 'orders', 'app_*.*', '$1.$2', 'x|orders'],
    ['a part of the name', 'public', 'tbl_orders_v2', 'public.tbl_*_v?', 'public.$1', 'public|orders'],
    ['each as often as wanted', 'a', 'b', '*.*', '$2$1.$1$2$1', 'ba|aba'],
    ['the first wildcard takes what it can', 'public', 'a_b_c', 'public.*_*', 'x.$2', 'x|c'],
    ['a name without wildcards', 'public', 'users', 'public.users', 'crm.people', 'crm|people'],
    ['with case, as a pattern compares', 'public', 'Users', 'public.users', 'crm.people', undefined],
    ['quoted: nothing is special', 'odd.schema', 'a*$1', '"odd.schema".*', '"$1.""x""".$1', '$1."x"|a*$1'],
    ['what a wildcard stands for is no template', 'public', '$1$2.*"', 'public.*', 'x.$1', 'x|$1$2.*"'],
    ['a character is more than a UTF-16 unit', 'public', 'a😀b', 'public.a?b', 'x.$1', 'x|😀'],
    ['a line feed too', 'public', 'a\nb', 'public.*', 'x.$1', 'x|a\nb'],
    ['as long as can be', 'public', '😀'.repeat(15), 'public.*', 'x.$1$1$1', `x|${'😀'.repeat(45)}`],
    ['as in the source, where it would be too long', 'public', '😀'.repeat(15), 'public.*', 'x.$1$1$1$1', undefined],
    ['as in the source, where nothing is left', 'tenant_', 'orders', 'tenant_*.*', '$1.$2', undefined],
  ])('%s', (_, schema, name, table, rename, expected) => {
    expect(named(schema, name, [table, rename])).toBe(expected);
  });

  it('the last that matches decides', () => {
    const entries = [
      ['*.*', 'all.$2'],
      ['app.*', 'app2.$1'],
      ['app.users', 'crm.people'],
      ['other.*', 'x.$1'],
    ] as const;
    expect([named('app', 'users', ...entries), named('app', 'orders', ...entries), named('b', 'c', ...entries)]).toEqual([
      'crm|people',
      'app2|orders',
      'all|c',
    ]);
    expect(named('app', 'users')).toBeUndefined();
  });
});

describe('paths', () => {
  it('start at the folder of the file', () => {
    const { lake } = load(`${URL_LINE}lake: { type: duckdb, path: ../l.duckdb }`);
    expect(lake).toEqual({ type: 'duckdb', path: join(folder, '../l.duckdb') });
    expect(load(`${URL_LINE}temp_directory: t\nextensions: { directory: /abs }`)).toMatchObject({
      tempDirectory: `${folder}/t`,
      extensionsDirectory: '/abs',
    });
  });

  it('start at the current folder without a file', () => {
    const { lake, file } = loadConfig({ env: { SLUICE_SOURCE_URL: 'postgres://h/d' }, cwd: folder.replace(/$/, '/none') });
    expect(lake).toMatchObject({ data: `${folder}/none/lake/data` });
    expect(file).toBeUndefined();
  });

  it('leave the URL of a catalog alone', () => {
    expect(load(`${URL_LINE}lake: { catalog: "postgres://h/c" }`).lake).toMatchObject({ catalog: 'postgres://h/c' });
    expect(load(`${URL_LINE}lake: { catalog: "duckdb:c.ducklake" }`).lake).toMatchObject({ catalog: `duckdb:${folder}/c.ducklake` });
  });
});

describe('variables', () => {
  it('expand inside values, with defaults for what is missing or empty', () => {
    const env = { HOST: 'h', EMPTY: '' };
    const yaml = 'source: { url: "postgres://${USER_NAME:-me}@${HOST}/${EMPTY:-d}" }\nthreads: ${THREADS:-3}';
    expect(load(yaml, { env })).toMatchObject({ source: { url: 'postgres://me@h/d' }, threads: 3 });
  });

  it('are inserted as they are', () => {
    const { source } = load('source: { url: "postgres://me:${PASSWORD}@h/d" }', { env: { PASSWORD: '${HOME}: "x' } });
    expect(source.url).toBe('postgres://me:${HOME}: "x@h/d');
  });

  it('that are missing are named together with the key', () => {
    const error = failure(() => load('source: { url: "${NO_SUCH}" }'));
    expect(error).toMatchObject({ code: 'config_variable' });
    expect(error.message).toContain('source.url');
    expect(error.message).toContain('NO_SUCH');
  });

  it('can be written literally', () => {
    expect(load(`${URL_LINE}tables: ["public.$\${x}"]`).tables).toEqual(['public.${x}']);
  });

  it('of the source need not be set where only the lake is wanted', () => {
    const file = join(folder, 'sluice.yaml');
    writeFileSync(file, 'source: { url: "${NO_SUCH}" }\nlake: { data: "${DATA}" }');
    expect(loadLakeConfig({ file, env: { DATA: '/d' }, cwd: '/' }).lake).toMatchObject({ data: '/d' });
    expect(failure(() => loadLakeConfig({ file, env: {}, cwd: '/' })).message).toContain('DATA');
  });
});

describe('overrides', () => {
  it('exist for every option', () => {
    for (const { key, variable } of configOptions) expect(variable).toBe(`SLUICE_${key.toUpperCase().replaceAll('.', '_')}`);
    const env = {
      SLUICE_SOURCE_URL: 'postgres://env/d',
      SLUICE_SOURCE_LOCK_TIMEOUT: '2s',
      SLUICE_TABLES: 'a.*, !a.b',
      SLUICE_LAKE_CATALOG: 'postgres://c/c',
      SLUICE_LAKE_INLINE_ROWS: '0',
      SLUICE_BATCH_INTERVAL: '100ms',
      SLUICE_LOG_FORMAT: 'json',
    };
    expect(load('source: { url: "${NOT_NEEDED}", lock_timeout: 1s }', { env })).toMatchObject({
      source: { url: 'postgres://env/d', lockTimeoutMs: 2000 },
      tables: ['a.*', '!a.b'],
      lake: { catalog: 'postgres://c/c', inlineRows: 0 },
      batch: { intervalMs: 100 },
      log: { format: 'json' },
    });
  });

  it('from the command line win over the environment', () => {
    expect(load(URL_LINE, { env: { SLUICE_LOG_LEVEL: 'warn' }, flags: { 'log.level': 'debug' } }).log.level).toBe('debug');
  });

  it('that are empty do not count', () => {
    expect(load(`${URL_LINE}log: { level: warn }`, { env: { SLUICE_LOG_LEVEL: '' } }).log.level).toBe('warn');
  });

  it('of the lake type leave the other type of the file behind', () => {
    const yaml = `${URL_LINE}lake: { type: ducklake, data: ./x }`;
    expect(load(yaml, { env: { SLUICE_LAKE_TYPE: 'duckdb', SLUICE_LAKE_PATH: '/x.duckdb' } }).lake).toEqual({
      type: 'duckdb',
      path: '/x.duckdb',
    });
  });
});

describe('what is refused', () => {
  it.each([
    ['source: { url: "postgres://h/d", lock_timout: 5ms }', 'source.lock_timout', 'source.lock_timeout'],
    [`${URL_LINE}interval: 1s`, 'interval', 'batch.interval'],
    [`${URL_LINE}tabels: []`, 'tabels', 'tables'],
    [`${URL_LINE}Lake: {}`, 'Lake', 'lake'],
    [`${URL_LINE}lake: { catalogue: "sqlite:x" }`, 'lake.catalogue', 'lake.catalog'],
  ])('an unknown key, naming the nearest: %s', (yaml, unknown, nearest) => {
    const error = failure(() => load(yaml));
    expect(error.code).toBe('config_unknown_key');
    expect(error.message).toContain(`unknown key ${unknown}.`);
    expect(error.remedy).toContain(`Did you mean ${nearest}?`);
  });

  it('a key of the other type of lake', () => {
    expect(failure(() => load(`${URL_LINE}lake: { path: x }`)).remedy).toContain('lake.path goes with lake.type: duckdb');
  });

  it('nothing is suggested for what is far from everything', () => {
    expect(nearestKey('kubernetes')).toBeUndefined();
  });

  it.each([
    ['tables: []', 'source.url: is missing'],
    ['source: { url: "mysql://x" }', 'postgres://'],
    [`${URL_LINE}batch: { interval: 5 }`, 'batch.interval: expected a duration'],
    [`${URL_LINE}batch: { interval: soon }`, 'batch.interval: expected a duration'],
    [`${URL_LINE}memory_limit: lots`, 'memory_limit: expected a size'],
    [`${URL_LINE}retain: 90`, 'retain: expected a duration'],
    [`${URL_LINE}disk_guard: { limit: 2000 }`, 'disk_guard.limit: expected a size'],
    [`${URL_LINE}disk_guard: { tables: [orders] }`, 'disk_guard.tables: "orders" is not a table pattern'],
    [`${URL_LINE}threads: 0`, 'threads'],
    [`${URL_LINE}lake: { type: iceberg }`, 'lake.type: expected ducklake or duckdb'],
    [`${URL_LINE}lake: { catalog: "mysql://x" }`, 'lake.catalog: expected postgres://'],
    [`${URL_LINE}tables: [orders]`, '"orders" is not a table pattern'],
    [`${URL_LINE}staging: fast`, 'staging'],
  ])('a wrong value, naming its key: %s', (yaml, expected) => {
    const error = failure(() => load(yaml));
    expect(error.code).toBe('config_invalid');
    expect(error.message).toContain(expected);
  });

  it('an unquoted ! or *, which YAML takes for a tag or an alias', () => {
    const error = failure(() => load(`${URL_LINE}tables: [!public.secrets]`));
    expect(error.code).toBe('config_syntax');
    expect(error.message).toContain('line 2');
    expect(error.remedy).toContain('"!public.secrets"');
    expect(failure(() => load(`${URL_LINE}tables: [*.orders]`)).code).toBe('config_syntax');
  });

  it('a broken file, without quoting its text', () => {
    const error = failure(() => load('source: { url: "postgres://me:hunter2@h/d"\n  x'));
    expect(error.code).toBe('config_syntax');
    expect(JSON.stringify([error.message, error.remedy])).not.toContain('hunter2');
  });

  it('values, without repeating them', () => {
    const error = failure(() => load('source: { url: "mysql://me:hunter2@h/d" }'));
    expect(JSON.stringify([error.message, error.remedy])).not.toContain('hunter2');
  });

  it.each(['hunter2#x', 'hunter2%x', 'hunter2/x', '12/hunter2', 'hunter2?x', 'hunter2@x'])(
    'a password that is not encoded: %s',
    (password) => {
      const url = `postgres://me:${password}@h/d`;
      for (const [key, yaml] of [
        ['source.url', `source: { url: "${url}" }`],
        ['lake.catalog', `${URL_LINE}lake: { catalog: "${url}" }`],
      ] as const) {
        const error = failure(() => load(yaml));
        expect(error).toMatchObject({ code: 'config_invalid', remedy: expect.stringContaining('%23') });
        expect(error.message).toContain(`${key}: the URL can't be parsed`);
        expect(JSON.stringify([error.message, error.remedy])).not.toContain('hunter2');
      }
    },
  );

  it.each([
    'postgres://me:a%23b,c@h/d',
    'postgres://me:p@h1:1,h2:2/d',
    'postgresql:///d?host=/run/pg',
    'postgres://%2Frun%2Fpg/d',
    'postgres://me@[::1]:5432/d?application_name=a@b',
  ])('no URL that is right: %s', (url) => {
    expect(load(`source: { url: "${url}" }`).source.url).toBe(url);
  });

  it('a file that is not there', () => {
    expect(failure(() => loadConfig({ file: 'nope.yaml', env: {}, cwd: folder }))).toMatchObject({ code: 'config_missing' });
    expect(failure(() => loadConfig({ env: {}, cwd: join(folder, 'none') }))).toMatchObject({ code: 'config_missing' });
    expect(failure(() => loadConfig({ file: folder, env: {}, cwd: folder }))).toMatchObject({ code: 'config_unreadable' });
  });
});
