import { access } from 'node:fs/promises';
import { join, resolve } from 'node:path';
import { SluiceError } from '../model/error.ts';
import type { LakeConfig } from './config.ts';
import type { Engine } from './engine.ts';
import { redact } from './redact.ts';
import { literal } from './sql.ts';
import { downloadWheel } from './wheel.ts';

/** The names the files have. `postgres` and `sqlite` are aliases that only INSTALL knows. */
export type ExtensionName = 'ducklake' | 'postgres_scanner' | 'sqlite_scanner' | 'httpfs';

/** Where extensions may lie on this machine, besides DuckDB's own directory. */
export interface ExtensionPlaces {
  /** Given by the user: the file itself in it, or below it as DuckDB or an unpacked wheel lays it out. */
  readonly directory?: string;
  /** Where `installExtension` unpacks wheels, for this engine version and platform. */
  readonly cacheDirectory: string;
}

/** loaded: built in or loaded before · installed: DuckDB's own directory · install: fetched by INSTALL just now · pip: fetched as a wheel just now. */
export type ExtensionWay = 'loaded' | 'installed' | 'install' | 'directory' | 'cache' | 'pip';

export interface ExtensionFound {
  readonly name: ExtensionName;
  readonly way: ExtensionWay;
  /** The file, where sluice chose it. */
  readonly file?: string;
}

/** What a lake needs. `staging: 'extension'` adds what reading batches by the `postgres` extension takes. */
export function extensionsFor(lake: LakeConfig, staging: 'extension' | 'fifo'): ExtensionName[] {
  const names = new Set<ExtensionName>();
  if (lake.type === 'ducklake') {
    names.add('ducklake');
    if (/^postgres(?:ql)?:/.test(lake.catalog)) names.add('postgres_scanner');
    if (lake.catalog.startsWith('sqlite:')) names.add('sqlite_scanner');
    if (lake.data.startsWith('s3://')) names.add('httpfs');
  }
  if (staging === 'extension') names.add('postgres_scanner');
  return [...names];
}

/**
 * Load an extension from this machine; never downloads. Order: loaded already, DuckDB's own directory, the user's directory, the cache.
 * Rejects with `extension_missing`, or `extension_unusable` when a file was found that this engine refuses (another version or platform).
 */
export async function resolveExtension(engine: Engine, name: ExtensionName, places: ExtensionPlaces): Promise<ExtensionFound> {
  const near = await loadInstalled(engine, name);
  if (near !== undefined) return near;
  const file =
    (await loadFrom(engine, name, places.directory, 'directory')) ?? (await loadFrom(engine, name, places.cacheDirectory, 'cache'));
  if (file !== undefined) return file;
  throw new SluiceError(
    'extension_missing',
    `DuckDB's extension ${name} (${engine.version}, ${engine.platform}) is not on this machine`,
    'Run `sluice extensions --install`; where this machine has no network, set extensions.directory to a folder that holds the file.',
  );
}

/**
 * Load an extension, fetching it if need be: installed already, INSTALL (DuckDB's repository), the user's directory, the cache, a wheel from PyPI by pip.
 * Resolves with the way that worked; rejects with `extension_missing` and each way's reason.
 */
export async function installExtension(engine: Engine, name: ExtensionName, places: ExtensionPlaces): Promise<ExtensionFound> {
  const near = await loadInstalled(engine, name);
  if (near !== undefined) return near;
  const reasons: string[] = [];
  const ways: (() => Promise<ExtensionFound | undefined>)[] = [
    async () => {
      await engine.run(`INSTALL ${name}`);
      await engine.load(name);
      return { name, way: 'install' };
    },
    () => loadFrom(engine, name, places.directory, 'directory'),
    () => loadFrom(engine, name, places.cacheDirectory, 'cache'),
    async () => {
      await downloadWheel(name, engine.version.replace(/^v/, ''), places.cacheDirectory);
      const found = await loadFrom(engine, name, places.cacheDirectory, 'pip');
      if (found === undefined) throw new Error('the wheel holds no such file');
      return found;
    },
  ];
  for (const way of ways) {
    try {
      const found = await way();
      if (found !== undefined) return found;
    } catch (error) {
      const reason = redact(error instanceof Error ? error.message : String(error)).split('\n')[0] ?? '';
      engine.log.debug({ extension: name, reason }, 'extension not had this way');
      reasons.push(reason);
    }
  }
  throw new SluiceError(
    'extension_missing',
    `DuckDB's extension ${name} (${engine.version}, ${engine.platform}) could not be had: ${reasons.join(' · ')}`,
    'Give this machine access to extensions.duckdb.org or to a PyPI index, or copy the file into a folder and set extensions.directory to it.',
  );
}

/** Load what is missing of `names`, never downloading. */
export async function loadExtensions(engine: Engine, names: readonly ExtensionName[], places: ExtensionPlaces): Promise<ExtensionFound[]> {
  const found: ExtensionFound[] = [];
  for (const name of names) found.push(await resolveExtension(engine, name, places));
  return found;
}

async function loadInstalled(engine: Engine, name: ExtensionName): Promise<ExtensionFound | undefined> {
  const [known] = await engine.rows('SELECT loaded, installed FROM duckdb_extensions() WHERE extension_name = $name', { name });
  if (known?.loaded === true) return { name, way: 'loaded' };
  if (known?.installed !== true) return undefined;
  await load(engine, name, name);
  return { name, way: 'installed' };
}

async function loadFrom(
  engine: Engine,
  name: ExtensionName,
  directory: string | undefined,
  way: ExtensionWay,
): Promise<ExtensionFound | undefined> {
  if (directory === undefined) return undefined;
  const file = `${name}.duckdb_extension`;
  const candidates = [
    file,
    join(engine.version, engine.platform, file),
    join(`duckdb_extension_${name}`, 'extensions', engine.version, file),
  ].map((candidate) => resolve(directory, candidate));
  for (const candidate of candidates) {
    const there = await access(candidate).then(
      () => true,
      () => false,
    );
    if (!there) continue;
    await load(engine, name, literal(candidate));
    return { name, way, file: candidate };
  }
  return undefined;
}

async function load(engine: Engine, name: ExtensionName, target: string): Promise<void> {
  try {
    await engine.load(target);
  } catch (error) {
    const reason = redact(error instanceof Error ? error.message : String(error)).split('\n')[0];
    throw new SluiceError(
      'extension_unusable',
      `DuckDB ${engine.version} (${engine.platform}) refuses its extension ${name}: ${reason}`,
      `Remove that file and run \`sluice extensions --install\`: an extension must match the engine's version and platform.`,
    );
  }
}
