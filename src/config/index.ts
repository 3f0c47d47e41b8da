export type { Catalog, Config, DuckDbConfig, DuckLakeConfig, LakeConfig, LogLevel, Rename, TableOptions } from './config.ts';
export { ENCODE_REMEDY, isConnectionUrl, UNPARSABLE_URL } from './connection-url.ts';
export { formatDuration, parseDuration } from './duration.ts';
export { DEFAULT_FILE, type LoadOptions, loadConfig, loadLakeConfig } from './load.ts';
export { type ConfigOption, configOptions } from './options.ts';
export { compilePatterns, patternFor, type TableMatcher } from './patterns.ts';
export { distance } from './problems.ts';
export { redactUrl } from './redact.ts';
export { compileRenames, type LakeNamer } from './renames.ts';
