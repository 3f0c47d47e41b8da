export { type ComposeOptions, type Composition, compose } from './compose.ts';
export { Daemon, type DaemonOptions, drainOnce } from './daemon.ts';
