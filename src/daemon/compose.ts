import type { Logger } from 'pino';
import { type Config, compilePatterns, compileRenames } from '../config/index.ts';
import { chooseStager, type ExtensionPlaces, extensionsFor, loadExtensions, openEngine, openLake } from '../lake/index.ts';
import {
  type AtPoint,
  createGuard,
  createLoader,
  createRetention,
  createTaker,
  createVerifier,
  createWatch,
  type LoaderOptions,
} from '../pipeline/index.ts';
import { assertInstalled, connect, PostgresSource } from '../source/index.ts';
import type { DaemonPorts } from './daemon.ts';

export interface ComposeOptions {
  readonly config: Config;
  readonly log: Logger;
  readonly places: ExtensionPlaces;
  /** For the crash suite. */
  readonly at?: AtPoint;
  /** For tests of small batches: see postgresStager. */
  readonly streamRows?: number | undefined;
  /** The same of a load's chunks. */
  readonly chunkRows?: number | undefined;
  /** And of those that go to the lake as files: see openLoads. */
  readonly filePages?: number | undefined;
  /** Called after each load that was completed. */
  readonly onLoaded?: LoaderOptions['onLoaded'];
}

/** The ports of a drain and what keeps them open. */
export interface Composition extends AsyncDisposable {
  readonly ports: DaemonPorts;
}

/**
 * Open everything a daemon needs: source, engine with its extensions, stager, lake. The lake itself is opened by the first drain.
 * @throws SluiceError not_installed, install_outdated, source_newer, extension_missing; or a connection error of the source
 */
export async function compose({
  config,
  log,
  places,
  at = () => {},
  streamRows,
  chunkRows,
  filePages,
  onLoaded,
}: ComposeOptions): Promise<Composition> {
  const { url, lockTimeoutMs } = config.source;
  await using stack = new AsyncDisposableStack();
  const probe = connect({ url, applicationName: 'sluice', max: 1 });
  try {
    await assertInstalled(probe);
  } finally {
    await probe.end({ timeout: 1 });
  }
  const source = stack.use(new PostgresSource({ url, lockTimeoutMs, rename: compileRenames(config.renames) }));
  const engine = await openEngine({
    memoryLimit: config.memoryLimit,
    ...(config.threads === undefined ? {} : { threads: config.threads }),
    ...(config.tempDirectory === undefined ? {} : { tempDirectory: config.tempDirectory }),
    log,
  });
  stack.defer(() => engine.close());
  await loadExtensions(engine, extensionsFor(config.lake, 'fifo'), places);
  const { stager, rows, way } = await chooseStager(engine, places, config.staging, streamRows);
  const lake = openLake(engine, config.lake, { rows, filePages });
  stack.defer(() => lake.close());
  const taker = createTaker({ source, log, at, lockTimeoutMs });
  const { limit, tables } = config.diskGuard;
  const guarded = limit === undefined ? undefined : { bytes: limit, pauses: compilePatterns(tables) };
  const guard = createGuard({ source, lake, log, at, limit: guarded });
  const retention = createRetention({ source, lake, log, at, retainMs: config.retainMs });
  log.info({ lake: config.lake.type, staging: way }, 'ready');
  const loader = createLoader({ source, lake, log, at, ...config.load, chunkRows, onLoaded });
  stack.defer(() => loader.close());
  const resources = stack.move();
  return {
    ports: {
      source,
      lake,
      stager,
      taker,
      watch: createWatch({ source, log }),
      loader,
      guard,
      retention,
      verifier: createVerifier({ source, ...config.verify }),
      log,
      at,
    },
    [Symbol.asyncDispose]: () => resources.disposeAsync(),
  };
}
