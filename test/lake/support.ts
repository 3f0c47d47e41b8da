import { homedir } from 'node:os';
import { join } from 'node:path';
import pino from 'pino';
import { type Engine, type EngineOptions, openEngine } from '../../src/lake/engine.ts';
import { type ExtensionName, type ExtensionPlaces, installExtension } from '../../src/lake/extensions.ts';

export const silent = pino({ level: 'silent' });

/** Where tests keep extensions between runs: the product's own default, so what `sluice extensions --install` fetched is used. */
export function testPlaces(engine: Engine): ExtensionPlaces {
  const cacheDirectory = join(homedir(), '.cache', 'pg-sluice', 'extensions', `${engine.version}-${process.platform}-${process.arch}`);
  const directory = process.env.SLUICE_TEST_EXTENSIONS;
  return directory === undefined ? { cacheDirectory } : { cacheDirectory, directory };
}

/** An engine with these extensions, fetched once where they are missing. */
export async function testEngine(names: readonly ExtensionName[], options: Partial<EngineOptions> = {}): Promise<Engine> {
  const engine = await openEngine({ log: silent, ...options });
  for (const name of names) await installExtension(engine, name, testPlaces(engine));
  return engine;
}
