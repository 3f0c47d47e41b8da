/** The lake side: what the composition root and the commands use. */
export { chooseStager } from './choose-stager.ts';
export type { LakeConfig } from './config.ts';
export { type Engine, type EngineOptions, openEngine } from './engine.ts';
export { registerExact } from './exact-function.ts';
export {
  type ExtensionFound,
  type ExtensionName,
  type ExtensionPlaces,
  type ExtensionWay,
  extensionsFor,
  installExtension,
  loadExtensions,
  resolveExtension,
} from './extensions.ts';
export { openLake } from './lake.ts';
export { type ProjectedColumn, type Projection, projectColumns, projectTable } from './projection.ts';
export { openForQuery, type QueryLake } from './query.ts';
export { type RebuildOptions, readTables, rebuildTable } from './rebuild.ts';
export { readRegistry } from './registry.ts';
export type { Rebuilt } from './replay.ts';
export type { Column, Row } from './rows.ts';
export { whileLocked } from './while-locked.ts';
