export { PostgresSource, type SourceOptions } from './batches.ts';
export { readColumns, type TrackedColumn, type TrackedColumns } from './columns.ts';
export { type ConnectOptions, connect, type Sql } from './connect.ts';
export { diagnose, type Finding } from './diagnose.ts';
export { assertInstalled, type InstallResult, install, uninstall } from './install.ts';
export { type LoadStatus, readLoads, readVerifications, requestLoads, type Verification } from './loads.ts';
export { printSql } from './sql.ts';
export { readStatus, type SourceStatus, type TableStatus } from './status.ts';
export {
  listRefused,
  listTables,
  type RefusedTable,
  type SourceTable,
  type TableName,
  type TableToTrack,
  type TrackedTable,
  type TrackOptions,
  track,
  untrack,
} from './tables.ts';
