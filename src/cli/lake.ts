import { randomUUID } from 'node:crypto';
import { access, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { version } from '@duckdb/node-api';
import type { LakeConfig } from '../config/index.ts';
import { type Engine, type ExtensionPlaces, openEngine } from '../lake/index.ts';
import { SluiceError } from '../model/error.ts';
import type { Io } from './context.ts';
import { warnings } from './logger.ts';

/**
 * Give the engine a folder of its own to spill to where the configuration names none; it is gone when `work` has ended. The engine makes
 * it when it spills, so a process that is killed before leaves nothing behind.
 */
export async function withTempDirectory<C extends LakeConfig, T>(config: C, work: (config: C) => Promise<T>): Promise<T> {
  if (config.tempDirectory !== undefined) return work(config);
  const tempDirectory = join(tmpdir(), `pg-sluice-${process.pid}-${randomUUID()}`);
  try {
    return await work({ ...config, tempDirectory });
  } finally {
    await rm(tempDirectory, { recursive: true, force: true });
  }
}

/** Open a DuckDB engine for one command and close it however that ends. */
export function withEngine<T>(config: LakeConfig, io: Pick<Io, 'stderr'>, work: (engine: Engine) => Promise<T>): Promise<T> {
  return withTempDirectory(config, async ({ memoryLimit, threads, tempDirectory }) => {
    const engine = await openEngine({
      memoryLimit,
      log: warnings(io),
      ...(threads === undefined ? {} : { threads }),
      ...(tempDirectory === undefined ? {} : { tempDirectory }),
    });
    try {
      return await work(engine);
    } finally {
      await engine.close();
    }
  });
}

/** Where extensions may lie: an extension goes with one version and platform of the engine, so the cache has a folder for each. */
export function placesFor(config: LakeConfig): ExtensionPlaces {
  const cacheDirectory = join(config.cacheDirectory, 'extensions', `${version()}-${process.platform}-${process.arch}`);
  return { cacheDirectory, ...(config.extensionsDirectory === undefined ? {} : { directory: config.extensionsDirectory }) };
}

/** Whether the lake's file is there; true for lakes that are no file here. Opening one to read never makes it. */
export async function lakeExists({ lake }: LakeConfig): Promise<boolean> {
  const file = lake.type === 'duckdb' ? lake.path : /^(?:sqlite|duckdb):(.+)$/s.exec(lake.catalog)?.[1];
  if (file === undefined) return true;
  return access(file).then(
    () => true,
    (error: NodeJS.ErrnoException) => error.code !== 'ENOENT',
  );
}

/** @throws SluiceError lake_missing */
export async function assertLakeExists(config: LakeConfig): Promise<void> {
  if (await lakeExists(config)) return;
  throw new SluiceError(
    'lake_missing',
    'There is no lake yet at the configured place.',
    'sluice run makes it; sluice doctor shows where it is looked for.',
  );
}
