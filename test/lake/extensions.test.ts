import { copyFile, mkdir, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from 'vitest';
import { chooseStager } from '../../src/lake/choose-stager.ts';
import { type Engine, openEngine } from '../../src/lake/engine.ts';
import { extensionsFor, installExtension, resolveExtension } from '../../src/lake/extensions.ts';
import { silent, testPlaces } from './support.ts';

let engine: Engine;
let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'sluice-ext-'));
  engine = await openEngine({ log: silent });
});
afterEach(async () => {
  await engine.close();
  await rm(folder, { recursive: true, force: true });
});

test('what a lake needs', () => {
  expect(extensionsFor({ type: 'duckdb', path: '/x' }, 'fifo')).toEqual([]);
  expect(extensionsFor({ type: 'duckdb', path: '/x' }, 'extension')).toEqual(['postgres_scanner']);
  expect(extensionsFor({ type: 'ducklake', catalog: 'postgres://h/x', data: 's3://b/p' }, 'extension')).toEqual([
    'ducklake',
    'postgres_scanner',
    'httpfs',
  ]);
  expect(extensionsFor({ type: 'ducklake', catalog: 'sqlite:/x', data: '/d' }, 'fifo')).toEqual(['ducklake', 'sqlite_scanner']);
});

test('found in the user’s directory or the cache, refused when it is another file, missing otherwise; staging falls back to the FIFO', async () => {
  const name = 'sqlite_scanner';
  const got = await installExtension(engine, name, testPlaces(engine));
  await engine.close();
  engine = await openEngine({ log: silent });
  const empty = { cacheDirectory: join(folder, 'cache') };
  if (got.file === undefined) {
    // DuckDB's own folder has it on this machine: it comes first.
    expect(await resolveExtension(engine, name, empty)).toMatchObject({ way: 'installed' });
    return;
  }
  await expect(resolveExtension(engine, name, empty)).rejects.toMatchObject({ code: 'extension_missing' });
  expect((await chooseStager(engine, empty, 'auto')).way).toBe('fifo');
  await expect(chooseStager(engine, empty, 'extension')).rejects.toMatchObject({ code: 'extension_missing' });
  const directory = join(folder, 'mine');
  const nested = join(directory, engine.version, engine.platform);
  await mkdir(nested, { recursive: true });
  await writeFile(join(nested, `${name}.duckdb_extension`), 'not an extension');
  await expect(resolveExtension(engine, name, { ...empty, directory })).rejects.toMatchObject({ code: 'extension_unusable' });
  await copyFile(got.file, join(nested, `${name}.duckdb_extension`));
  expect(await resolveExtension(engine, name, { ...empty, directory })).toMatchObject({ way: 'directory' });
  expect(await resolveExtension(engine, name, empty)).toMatchObject({ way: 'loaded' });
});
