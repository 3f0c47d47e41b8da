import type { Logger } from 'pino';
import type { Config } from '../../config/index.ts';
import type { ComposeOptions, Composition } from '../../daemon/index.ts';
import type { Loaded, LoadMode } from '../../model/load.ts';
import type { Context, Register } from '../context.ts';
import { plural } from '../output.ts';
import { withProgress } from '../progress.ts';
import { type Stop, stopOnSignal } from '../stop.ts';
import { tableLabel } from '../tables.ts';

interface Options {
  readonly once?: boolean;
  readonly logLevel?: string;
}

export const register: Register = (program, bind) => {
  program
    .command('run')
    .description('bring changes into the lake until stopped; the log goes to stderr')
    .option('--once', 'drain until the buffer is empty and all loads are done, then exit')
    .option('--log-level <level>', 'overrides log.level')
    .action(
      bind(async (context, { once = false, logLevel }: Options) => {
        const config = context.config(logLevel === undefined ? {} : { 'log.level': logLevel });
        const { createLogger } = await import('../logger.ts');
        const log = createLogger(config.log, context.io);
        const stop = stopOnSignal(context.io, (signal) =>
          log.info({ signal }, 'stopping after the batch at work; a second signal stops at once'),
        );
        try {
          const [{ withTempDirectory, placesFor }, daemon] = await Promise.all([import('../lake.ts'), import('../../daemon/index.ts')]);
          await withTempDirectory(config, async (ready) => {
            const loads: Done[] = [];
            const onLoaded: ComposeOptions['onLoaded'] = ({ table, mode }, result) => {
              if (once) loads.push({ ...table.source, mode, ...result });
            };
            await using composition = await daemon.compose({ config: ready, log, places: placesFor(ready), onLoaded });
            if (once) await runOnce(context, composition, { log, stop, loads });
            else await runUntilStopped(config, composition, log, stop);
          });
        } finally {
          stop.forget();
        }
      }),
    );
};

/** A load that was completed meanwhile. */
interface Done extends Loaded {
  readonly schema: string;
  readonly name: string;
  readonly mode: LoadMode;
}

async function runUntilStopped(config: Config, { ports }: Composition, log: Logger, { signal }: Stop): Promise<void> {
  if (signal.aborted) return;
  const { Daemon } = await import('../../daemon/index.ts');
  const daemon = new Daemon({ ports, log, intervalMs: config.batch.intervalMs });
  const ended = daemon.run();
  signal.addEventListener('abort', () => void daemon.stop(), { once: true });
  if (signal.aborted) await daemon.stop();
  await ended;
  log.info('stopped');
}

interface Once {
  readonly log: Logger;
  readonly stop: Stop;
  readonly loads: readonly Done[];
}

async function runOnce(context: Context, { ports }: Composition, { log, stop, loads }: Once): Promise<void> {
  const { drainOnce } = await import('../../daemon/index.ts');
  const sum = { batches: 0, rows: 0 };
  const label = { label: 'draining', total: 0, unit: 'changes' };
  await withProgress(context, label, ({ update }) =>
    drainOnce({
      ports,
      log,
      stop: stop.signal,
      onBatch: ({ applied }) => {
        sum.batches++;
        sum.rows += applied.rows;
        update(sum.rows, sum.rows);
      },
    }),
  );
  await context.print({ ...sum, loads }, () =>
    [
      `${plural(sum.rows, 'change')} in ${plural(sum.batches, 'batch', 'batches')} reached the lake; the buffer is empty.`,
      ...loads.map(describeLoad),
    ].join('\n'),
  );
}

function describeLoad({ mode, rows, missing, different, extra, ...table }: Done): string {
  const differences = plural(missing + different + extra, 'difference');
  if (mode === 'fill' || mode === 'full' || mode === 'reset') return `${tableLabel(table)}: ${plural(rows, 'row')} loaded.`;
  return `${tableLabel(table)}: ${plural(rows, 'row')} compared, ${differences}${mode === 'verify' ? '' : ' mended'}.`;
}
